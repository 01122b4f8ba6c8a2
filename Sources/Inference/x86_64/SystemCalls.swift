/// Linux's system calls after which the stack isn't what it was (arch/x86/entry/syscalls/syscall_64.tbl).
extension FunctionAnalysis {
    private enum SystemCall {
        static let signalReturn: Int64 = 15
        static let clone: Int64 = 56
        static let exit: Int64 = 60
        static let exitGroup: Int64 = 231
        static let clone3: Int64 = 435
    }

    /// Whether control continues behind a system call with the stack as it was. Says no as well if that isn't certain, which
    /// is then the function's failure.
    ///
    /// A number that isn't known isn't one of these: who makes such calls knows what they do to the stack.
    func passesSystemCall(at address: UInt64) -> Bool {
        let number = current[SymbolicState.accumulator]
        guard number.kind == .constant else { return true }
        switch number.number {
        case SystemCall.exit, SystemCall.exitGroup: return false
        case SystemCall.signalReturn:
            if isFinal { fail(.signalReturn, address) }
            return false
        case SystemCall.clone, SystemCall.clone3:
            if isFinal { fail(.newStack, address) }
            return true
        default: return true
        }
    }
}
