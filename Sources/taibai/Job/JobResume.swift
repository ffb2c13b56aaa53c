// taibai job resume

import ArgumentParser
import Client

/// Takes a paused job's schedule up again.
struct JobResume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Take a paused job's schedule up again.",
        discussion: "  taibai job resume every-minute")

    @OptionGroup var job: JobNameArgument
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let resumed = try server.client().resumeJob(job.name)
        let next = Human.date(resumed.next, from: MonotonicTime.wallNow).map { ", next \($0)" } ?? ""
        try JobText.write(resumed, as: format.output, line: "resumed \(job.name)\(next)")
    }
}
