// taibai job pause

import ArgumentParser
import Client

/// Stops a job's schedule for a while.
struct JobPause: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Stop a job's schedule for a while.",
        discussion: """
            Times that pass meanwhile count as skipped.

              taibai job pause every-minute
            """)

    @OptionGroup var job: JobNameArgument
    @OptionGroup var format: OutputFlags
    @OptionGroup var server: ServerFlags

    func run() throws {
        let paused = try server.client().pauseJob(job.name)
        try JobText.write(paused, as: format.output, line: "paused \(job.name)")
    }
}
