import Foundation

/// Chromium without a window, driven by its DevTools protocol: JSON messages over a socket, each ended by a zero byte.
///
/// https://chromedevtools.github.io/devtools-protocol
package final class Chromium {
    /// Where it is installed; nil if it isn't.
    package static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    package static let need = "needs Chromium (Debian's package chromium)"

    package struct Problem: Error, CustomStringConvertible {
        package var description: String
        package init(_ description: String) { self.description = description }
    }

    private let process = Process()
    private let profile = FileManager.default.temporaryDirectory.appending(path: "cfic-chromium-\(UUID().uuidString)")
    private var messages: MessageSocket
    private var lastID = 0
    private var session: String?
    /// Exceptions and errors, such as those about what the page's policy forbids.
    package private(set) var complaints: [String] = []
    /// What pages loaded, by address.
    package private(set) var requests: [String] = []

    /// Starts it with an empty page.
    ///
    /// - Parameters:
    ///   - size: of its window, in pixels.
    ///   - isDark: whether pages are told that dark colours are preferred.
    package init(width: Int = 1440, height: Int = 900, isDark: Bool = false) throws {
        guard let path = Self.path else { throw Problem(Self.need) }
        let (own, other) = try MessageSocket.pair()
        messages = own
        process.executableURL = URL(filePath: "/bin/sh")
        // It speaks the protocol on descriptors 3 and 4. Root can't use its sandbox; pages come from tests only.
        process.arguments = [
            "-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", path, "--headless=new", "--no-sandbox",
            "--remote-debugging-pipe", "--user-data-dir=\(profile.path)", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--force-device-scale-factor=1", "--window-size=\(width),\(height)",
        ]
        (process.standardInput, process.standardOutput) = (other, other)
        try process.run()
        try other.close()
        let target = try call("Target.createTarget", ["url": "about:blank"])
        session =
            try call("Target.attachToTarget", ["targetId": target["targetId"] ?? "", "flatten": true])[
                "sessionId"] as? String
        for domain in ["Page", "Runtime", "Log", "Network"] { try call("\(domain).enable") }
        try call(
            "Emulation.setDeviceMetricsOverride",
            [
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
            ])
        try prefer(dark: isDark)
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: profile)
    }

    package func prefer(dark: Bool) throws {
        try call(
            "Emulation.setEmulatedMedia",
            [
                "features": [["name": "prefers-color-scheme", "value": dark ? "dark" : "light"]]
            ])
    }

    /// Opens a file and waits until it is loaded.
    package func open(_ file: String) throws {
        let before = loads
        try call("Page.navigate", ["url": URL(filePath: file).absoluteString])
        while loads == before { note(try messages.next()) }
    }

    private var loads = 0

    /// The value of an expression; a promise's when it is there.
    package func evaluate<Value>(_ script: String, as type: Value.Type = Value.self) throws -> Value {
        let answer = try call(
            "Runtime.evaluate", ["expression": script, "returnByValue": true, "awaitPromise": true])
        if let details = answer["exceptionDetails"] as? [String: Any] {
            throw Problem("\(script): \((details["exception"] as? [String: Any])?["description"] ?? details)")
        }
        let value = (answer["result"] as? [String: Any])?["value"]
        guard let value = value as? Value else { throw Problem("\(script) is \(value ?? "undefined")") }
        return value
    }

    /// Presses and releases a key, named as in `KeyboardEvent.key`. One character is also typed.
    package func press(_ key: String) throws {
        let codes = [
            "Enter": 13, "Escape": 27, "Backspace": 8, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
            "ArrowDown": 40, "Tab": 9,
        ]
        var event: [String: Any] = ["type": "keyDown", "key": key]
        if let code = codes[key] { event["windowsVirtualKeyCode"] = code }
        if key.count == 1 { event["text"] = key }
        if key == "Enter" { event["text"] = "\r" }
        try call("Input.dispatchKeyEvent", event)
        event["type"] = "keyUp"
        event["text"] = nil
        try call("Input.dispatchKeyEvent", event)
    }

    /// Types into what has the focus.
    package func type(_ text: String) throws { try call("Input.insertText", ["text": text]) }

    package func move(x: Double, y: Double) throws {
        try call("Input.dispatchMouseEvent", ["type": "mouseMoved", "x": x, "y": y])
    }

    package func click(x: Double, y: Double) throws {
        for type in ["mousePressed", "mouseReleased"] {
            try call(
                "Input.dispatchMouseEvent", ["type": type, "x": x, "y": y, "button": "left", "clickCount": 1])
        }
    }

    /// What is visible, as PNG.
    package func screenshot() throws -> Data {
        let text = try call("Page.captureScreenshot", ["format": "png"])["data"] as? String
        guard let text, let data = Data(base64Encoded: text) else { throw Problem("no screenshot") }
        return data
    }

    /// Nodes as screen readers get them: role, name.
    package func accessibleNodes() throws -> [(role: String, name: String)] {
        let nodes = try call("Accessibility.getFullAXTree")["nodes"] as? [[String: Any]] ?? []
        func value(_ node: [String: Any], _ key: String) -> String {
            (node[key] as? [String: Any])?["value"] as? String ?? ""
        }
        return nodes.filter { $0["ignored"] as? Bool != true }.map { (value($0, "role"), value($0, "name")) }
    }

    /// Calls a method and waits for its answer.
    @discardableResult
    private func call(_ method: String, _ parameters: [String: Any] = [:]) throws -> [String: Any] {
        lastID += 1
        var message: [String: Any] = ["id": lastID, "method": method, "params": parameters]
        if let session { message["sessionId"] = session }
        try messages.send(message)
        while true {
            let answer = try messages.next()
            guard answer["id"] as? Int == lastID else {
                note(answer)
                continue
            }
            if let error = answer["error"] { throw Problem("\(method): \(error)") }
            return answer["result"] as? [String: Any] ?? [:]
        }
    }

    private func note(_ event: [String: Any]) {
        let parameters = event["params"] as? [String: Any] ?? [:]
        switch event["method"] as? String {
        case "Page.loadEventFired": loads += 1
        case "Runtime.exceptionThrown": complaints.append("\(parameters["exceptionDetails"] ?? "exception")")
        case "Log.entryAdded":
            let entry = parameters["entry"] as? [String: Any] ?? [:]
            // Advice on speed, for example.
            if entry["level"] as? String == "error" { complaints.append("\(entry["text"] ?? entry)") }
        case "Network.requestWillBeSent":
            requests.append((parameters["request"] as? [String: Any])?["url"] as? String ?? "unknown")
        default: break
        }
    }
}
