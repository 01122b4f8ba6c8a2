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
    enum Source {
        case recording(RecordedProfile)
        /// Read from a file.
        case file(NamedProfile)
    }

    let profile: Source
    let format: any ProfileFormat

    func write(to output: inout some ByteSink) throws {
        switch (profile, format as? any NamedProfileFormat) {
        // Folded stacks are made of the recording: long ones must not take more memory at their end.
        case (.recording(let profile), let format?) where !(format is FoldedFormat):
            try format.write(profile.named, to: &output)
        case (.recording(let profile), _):
            try format.write(profile.recording, names: profile.names, to: &output)
        case (.file(let profile), let format?): try format.write(profile, to: &output)
        case (.file, nil): throw Failure("this format needs a recording: it can't be made of a file")
        }
    }
}
