import Files
import Profile
import ProfileFormats

/// A recording, whose frames are named once for all formats.
final class RecordedProfile {
    let recording: Recording
    let names: Symbolizer
    private(set) lazy var named = NamedProfile(recording, names: names)

    init(_ recording: Recording, _ names: Symbolizer) { (self.recording, self.names) = (recording, names) }
}

/// A profile in a format, formatted while it is written.
struct ProfileText {
    let profile: RecordedProfile
    let format: any ProfileFormat

    func write(to output: inout some ByteSink) throws {
        if let format = format as? any NamedProfileFormat {
            try format.write(profile.named, to: &output)
        } else {
            try format.write(profile.recording, names: profile.names, to: &output)
        }
    }
}
