import GoFunctionTable

extension ELFImage {
    /// The functions of a Go program, from the section that its runtime needs and that isn't stripped.
    package struct GoFunctions {
        package let table: GoFunctionTable
        /// `.gopclntab`, or `.data.rel.ro.gopclntab` in position-independent executables.
        package let section: Section
        let bytes: UnsafeRawBufferPointer
    }

    /// The functions of a Go program; nil if this isn't one, or not for x86-64 or aarch64.
    ///
    /// - Throws: ``ELFError`` if sections can't be read, or the table's head is defective.
    package func goFunctions() throws(ELFError) -> GoFunctions? {
        let quantum: UInt64
        switch machine {
        case .x86_64: quantum = 1
        case .aarch64: quantum = 4
        default: return nil
        }
        let sections = try sections()
        guard is64Bit, !isBigEndian,
            let section = sections.first(where: {
                $0.isAllocated && [".gopclntab", ".data.rel.ro.gopclntab"].contains($0.name)
            })
        else { return nil }
        let bytes = try bytes(of: section)
        let text = sections.first { $0.isExecutable && $0.name == ".text" }?.address
        do throws(GoTableError) {
            let table = try GoFunctionTable(bytes, quantum: quantum, text: text)
            // Otherwise nothing proves where the code begins.
            if !table.statesText, try !table.hasEntryPoint(entryAddress) { return nil }
            return GoFunctions(table: table, section: section, bytes: bytes)
        } catch {
            throw malformed(error, section)
        }
    }

    /// A defect of a section with Go functions as an error of this image.
    package func malformed(_ error: GoTableError, _ section: Section) -> ELFError {
        malformed(error.problem, section: section.name, offset: UInt64(max(0, error.offset)))
    }
}
