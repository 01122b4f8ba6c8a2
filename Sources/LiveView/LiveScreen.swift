import CNcurses

/// The terminal, while a live view is on it.
package final class LiveScreen {
    /// - Parameter usesColours: whether it may have colours.
    /// - Returns: nil if standard input and output are not a terminal, or of a kind that nobody knows.
    package init?(usesColours: Bool) {
        guard live_screen_open(usesColours) else { return nil }
    }

    deinit { live_screen_close() }

    package var size: (rows: Int, columns: Int) {
        var rows: Int32 = 0, columns: Int32 = 0
        live_screen_size(&rows, &columns)
        return (Int(rows), Int(columns))
    }

    package func draw(_ picture: LivePicture) {
        live_screen_erase()
        for piece in picture.pieces {
            live_screen_put(Int32(piece.row), Int32(piece.column), piece.text, Self.style(of: piece.style))
        }
        live_screen_show()
    }

    /// A key, or what else changes the picture.
    package enum Event: Equatable {
        case key(LiveModel.Key)
        case redraw
    }

    /// Waits for the next event. Stops the process for Ctrl-Z.
    package func event(milliseconds: Int32) -> Event? {
        let code = live_screen_key(milliseconds)
        switch UInt32(bitPattern: code) {
        case LIVE_KEY_NONE.rawValue: return nil
        case LIVE_KEY_UP.rawValue: return .key(.up)
        case LIVE_KEY_DOWN.rawValue: return .key(.down)
        case LIVE_KEY_LEFT.rawValue: return .key(.left)
        case LIVE_KEY_RIGHT.rawValue: return .key(.right)
        case LIVE_KEY_ENTER.rawValue: return .key(.enter)
        case LIVE_KEY_BACK.rawValue: return .key(.back)
        case LIVE_KEY_HOME.rawValue: return .key(.home)
        case LIVE_KEY_REDRAW.rawValue: return .redraw
        case 0x1a:
            live_screen_stop()
            return .redraw
        case let scalar: return .key(Unicode.Scalar(scalar).map { .character(Character($0)) } ?? .other)
        }
    }

    private static func style(of style: LivePicture.Style) -> live_style {
        switch style {
        case .plain: LIVE_PLAIN
        case .bold: LIVE_BOLD
        case .dim: LIVE_DIM
        case .user: LIVE_USER
        case .kernel: LIVE_KERNEL
        case .guessed: LIVE_GUESSED
        case .inlined: LIVE_INLINED
        case .truncated: LIVE_TRUNCATED
        case .selected: LIVE_SELECTED
        }
    }
}

extension LiveScreen {
    /// Gives the terminal back at once, on any thread, if it was taken: the process is about to end.
    package static func giveBack() { live_screen_give_back() }
}
