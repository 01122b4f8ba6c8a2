import ArgumentParser
import ELF
import Foundation
import Symbols

/// Naming addresses in this machine's own files, without debug files, as recordings are named at their end.
enum AddressNaming {
    private static let (files, addresses) = (200, 100_000)

    /// The second time, when the files are in the page cache.
    static func seconds() throws -> Double {
        let images = try images()
        guard images.count == files else { throw ValidationError("only \(images.count) ELF files were found") }
        let places = images.map { Self.addresses(in: $0, addresses / files) }
        for (image, addresses) in zip(images, places) { try name(addresses, in: image) }
        return try ContinuousClock().measure {
            for (image, addresses) in zip(images, places) { try name(addresses, in: image) }
        } / .seconds(1)
    }

    private static func name(_ addresses: [UInt64], in image: ELFImage) throws {
        let names = ImageNames(try image.another())
        var symbols: Set<String> = []
        for address in addresses {
            if case .function(let name)? = names.name(at: address, isExact: true) { symbols.insert(name) }
        }
        // In a child process, once for each file.
        var demangler = Demangler()
        _ = demangler.names(of: symbols)
    }

    /// Libraries first, which have most symbols, then programs.
    private static func images() throws -> [ELFImage] {
        var found: [ELFImage] = [], seen: Set<String> = []
        for directory in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/bin"] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: directory))?.sorted() ?? []
            for name in names where found.count < files {
                let path = URL(filePath: "\(directory)/\(name)").resolvingSymlinksInPath().path
                guard seen.insert(path).inserted, let image = try? ELFImage(path: path),
                    !((try? image.executableRanges()) ?? []).isEmpty
                else { continue }
                found.append(image)
            }
        }
        return found
    }

    /// Evenly over the code.
    private static func addresses(in image: ELFImage, _ count: Int) -> [UInt64] {
        let ranges = (try? image.executableRanges()) ?? []
        let size = ranges.reduce(0) { $0 + UInt64($1.count) }
        var addresses: [UInt64] = []
        for number in 0..<UInt64(count) {
            var offset = size * number / UInt64(count)
            for range in ranges {
                if offset < UInt64(range.count) {
                    addresses.append(range.lowerBound + offset)
                    break
                }
                offset -= UInt64(range.count)
            }
        }
        return addresses
    }
}
