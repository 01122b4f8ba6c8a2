import CCurl
import Glibc
import ProfileFormats
import Synchronization

/// Pushes the profiles of a recording to a target, on a thread of its own.
final class Pusher: @unchecked Sendable {
    private let target: PushTarget
    private let queue: PushQueue
    private let version: String
    private let notes: PushNotes
    private let cancelled = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private let ended = Monitor(false)
    private var thread: ServiceThread?

    /// - Parameters:
    ///   - version: cfic's.
    ///   - note: tells the user of problems.
    init(_ target: PushTarget, version: String, note: @escaping @Sendable (String) -> Void) {
        (self.target, self.version) = (target, version)
        queue = PushQueue(target: target.name)
        notes = PushNotes(target: target.name, note: note)
        cancelled.initialize(to: 0)
    }

    deinit { cancelled.deallocate() }

    var counters: PushCounters { queue.counters }

    /// Begins to send.
    ///
    /// - Throws: ``ServiceError`` if libcurl can't be loaded.
    func start() throws(ServiceError) {
        if let problem = http_client_load() {
            throw .refused(
                "pushing needs libcurl, Debian's package libcurl4: \(String(cString: problem))")
        }
        thread = try ServiceThread { [self] in
            var notes = notes
            queue.sendAll(
                by: send, pause: BackOff.pause,
                note: { outcome, failures in notes.note(outcome, failures, at: .now) })
            ended.withLock { $0 = true }
        }
    }

    func push(_ profile: IntervalProfile) {
        do { queue.add(try target.message(profile, version: version)) } catch {
            notes.tell("a profile can't be written for \(target.name): \(error)")
        }
    }

    /// Sends what waits, once, and ends.
    ///
    /// - Parameter limit: after which attempts are given up.
    func close(atMost limit: Duration) {
        queue.close()
        guard thread != nil else { return }
        if ended.wait(atMost: limit, until: { $0 ? true : nil }) == nil {
            queue.dropAll()
            cancelled.pointee = 1
        }
        thread?.join()
        thread = nil
    }

    private func send(_ message: PushMessage) -> PushOutcome {
        var answer = http_answer()
        let headers = message.headers.map { strdup($0) }
        defer { for header in headers { free(header) } }
        let pointers = headers.map { UnsafePointer<CChar>($0) } + [nil]
        message.url.withCString { url in
            pointers.withUnsafeBufferPointer { headers in
                message.body.withUnsafeBytes { body in
                    var post = http_post(
                        url: url, body: body.baseAddress, body_size: body.count, headers: headers.baseAddress,
                        timeout: 30_000, is_cancelled: cancelled)
                    http_client_post(&post, &answer)
                }
            }
        }
        defer { free(answer.body) }
        return Self.outcome(answer, target.format)
    }

    static func outcome(_ answer: http_answer, _ format: PushTarget.Format) -> PushOutcome {
        var answer = answer
        guard answer.status != 0 else {
            return .failed(withUnsafeBytes(of: &answer.problem) { text($0) }, wait: nil)
        }
        let content = UnsafeRawBufferPointer(start: answer.body, count: answer.body_size)
        if (200...299).contains(answer.status) {
            return format == .otlp ? outcome(OTLPAnswer(Array(content))) : .delivered
        }
        let body = text(UnsafeRawBufferPointer(rebasing: content.prefix(512)))
        let problem = "status \(answer.status)" + (body.isEmpty ? "" : ": \(body)")
        // What may be different later; other answers to clients are final.
        guard answer.status >= 500 || answer.status == 408 || answer.status == 429 else { return .refused(problem) }
        return .failed(problem, wait: answer.retry_after > 0 ? .seconds(answer.retry_after) : nil)
    }

    /// A request has one profile: the server has taken it, or not. It must not be repeated in either case.
    private static func outcome(_ answer: OTLPAnswer) -> PushOutcome {
        let message = String(answer.message.prefix(500))
        if answer.rejectedProfiles > 0 { return .rejected(message.isEmpty ? "without a reason" : message) }
        return message.isEmpty ? .delivered : .warned(message)
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}

/// Tells the user what fails, at most once a minute and target; and what servers say of profiles that they took, or left out,
/// once.
struct PushNotes: Sendable {
    private let target: String
    let tell: @Sendable (String) -> Void
    private var last: ContinuousClock.Instant?
    private var isFailing = false
    /// The first few different ones.
    private var remarks: Set<String> = []
    private static let remarkLimit = 10

    init(target: String, note: @escaping @Sendable (String) -> Void) { (self.target, tell) = (target, note) }

    mutating func note(_ outcome: PushOutcome, _ failures: Int, at now: ContinuousClock.Instant) {
        switch outcome {
        case .delivered: noteAnswer(after: failures)
        case .warned(let text):
            noteAnswer(after: failures)
            remark("\(target) took a profile, with a warning: \(text)")
        case .rejected(let text):
            noteAnswer(after: failures)
            remark("\(target) rejects a profile: \(text)")
        case .refused(let problem):
            tellIfDue("\(target) refuses a profile: \(problem)", at: now)
        case .failed(let problem, _):
            if tellIfDue("pushing to \(target) failed, and is repeated: \(problem)", at: now) { isFailing = true }
        }
    }

    private mutating func noteAnswer(after failures: Int) {
        if isFailing { tell("pushing to \(target) works again, after \(failures) failures") }
        (isFailing, last) = (false, nil)
    }

    private mutating func remark(_ text: String) {
        if remarks.count < Self.remarkLimit, remarks.insert(text).inserted { tell(text) }
    }

    @discardableResult
    private mutating func tellIfDue(_ text: String, at now: ContinuousClock.Instant) -> Bool {
        if let last, now - last < .seconds(60) { return false }
        last = now
        tell(text)
        return true
    }
}
