import Testing

@Suite struct InstructionTextTests {
    /// The listing's lines for an FDE's instructions.
    private func lines(_ instructions: [UInt8], machine: UInt16 = 62) -> [String] {
        var builder = FrameBuilder(machine: machine)
        builder.fde(cie: builder.cie(), instructions: instructions)
        return listEntries(builder).split(separator: "\n").drop { !$0.contains("FDE") }.dropFirst().map {
            String($0.dropFirst(2))
        }
    }

    @Test(
        arguments: [
            ([0x44], "DW_CFA_advance_loc: 4 to 0000000000001004"),
            ([0x01, 0x20, 0x10, 0, 0, 0, 0, 0, 0], "DW_CFA_set_loc: 0000000000001020"),
            ([0x02, 0xff], "DW_CFA_advance_loc1: 255 to 00000000000010ff"),
            ([0x1d, 0, 0, 0, 0, 1, 0, 0, 0], "DW_CFA_MIPS_advance_loc8: 4294967296 to 0000000100001000"),
            ([0x86, 2], "DW_CFA_offset: r6 (rbp) at cfa-16"),
            ([0x05, 0x63, 2], "DW_CFA_offset_extended: r99 at cfa-16"),
            ([0x11, 6, 0x7e], "DW_CFA_offset_extended_sf: r6 (rbp) at cfa+16"),
            ([0x2f, 6, 2], "DW_CFA_GNU_negative_offset_extended: r6 (rbp) at cfa+16"),
            ([0x0e] + uleb(UInt64(bitPattern: -112)), "DW_CFA_def_cfa_offset: -112"),
            ([0x0c, 6] + uleb(UInt64(bitPattern: -112)), "DW_CFA_def_cfa: r6 (rbp) ofs -112"),
            ([0x05, 6] + uleb(.max), "DW_CFA_offset_extended: r6 (rbp) at cfa+8"),
            ([0x05, 6] + uleb(1 << 62), "DW_CFA_offset_extended: r6 (rbp) at cfa<more than 64 bits>"),
            ([0xc6], "DW_CFA_restore: r6 (rbp)"),
            ([0x09, 6, 16], "DW_CFA_register: r6 (rbp) in r16 (rip)"),
            ([0x0a], "DW_CFA_remember_state"),
            ([0x0c, 7, 16], "DW_CFA_def_cfa: r7 (rsp) ofs 16"),
            ([0x12, 7, 0x7e], "DW_CFA_def_cfa_sf: r7 (rsp) ofs 16"),
            ([0x13, 0x7e], "DW_CFA_def_cfa_offset_sf: 16"),
            ([0x14, 6, 2], "DW_CFA_val_offset: r6 (rbp) is cfa-16"),
            ([0x2e, 16], "DW_CFA_GNU_args_size: 16"),
            ([0x30, 7, 16, 0], "DW_CFA_LLVM_def_aspace_cfa: r7 (rsp) ofs 16"),
            ([0x10, 6, 3, 0x77, 8, 0x06], "DW_CFA_expression: r6 (rbp) (DW_OP_breg7 (rsp): 8; DW_OP_deref)"),
            (
                [0x0f, 4, 0x08, 200, 0x31, 0x22],
                "DW_CFA_def_cfa_expression (DW_OP_const1u: 200; DW_OP_lit1; DW_OP_plus)"
            ),
            ([0x0f, 3, 0x09, 200, 0xe9], "DW_CFA_def_cfa_expression (DW_OP_const1s: -56; DW_OP_??? (0xe9))"),
            (
                [0x0f, 4, 0x92, 17, 0x7c, 0x0a],
                "DW_CFA_def_cfa_expression (DW_OP_bregx: 17 (xmm0) -4; DW_OP_const2u: <ends in the middle of a value>)"
            ),
            (
                [0x0f, 4, 0xa3, 2, 0x50, 0x96],
                "DW_CFA_def_cfa_expression (DW_OP_entry_value: (DW_OP_reg0 (rax); DW_OP_nop))"
            ),
            ([0x3f, 0x44], "error: .eh_frame+0x2a: unknown CFA instruction"),
        ] as [([UInt8], String)])
    func instruction(_ bytes: [UInt8], _ line: String) {
        #expect(lines(bytes) == [line])
    }

    @Test func aarch64Instructions() {
        #expect(
            lines([0x2d, 0x2c, 0x2b, 1, 0x7c], machine: aarch64) == [
                "DW_CFA_AARCH64_negate_ra_state", "DW_CFA_AARCH64_negate_ra_state_with_pc",
                "DW_CFA_AARCH64_set_ra_state: 1, -4",
            ])
    }

    @Test func windowSaveOfSPARC() {
        #expect(lines([0x2d, 0x0d, 30], machine: 43) == ["DW_CFA_GNU_window_save", "DW_CFA_def_cfa_register: r30"])
    }

    @Test func deeplyNestedExpressionsDoNotOverflowTheStack() {
        var expression: [UInt8] = [0x96]
        for _ in 0..<1000 { expression = [0xa3] + uleb(UInt64(expression.count)) + expression }
        let line = lines([0x0f] + uleb(UInt64(expression.count)) + expression)[0]
        #expect(line.contains("DW_OP_entry_value: (...)"))
    }
}
