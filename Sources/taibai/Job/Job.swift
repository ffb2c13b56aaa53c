// taibai job: the commands about jobs, each in a file of its own beside this one.

import ArgumentParser
import Client
import Model

/// Groups the commands about jobs.
struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Call functions on a schedule.",
        discussion: """
              taibai job create nightly --function report --cron '0 3 * * *'
              taibai job list
              taibai job ticks nightly
            """,
        subcommands: [
            JobCreate.self, JobList.self, JobDescribe.self, JobTicks.self, JobRun.self, JobPause.self, JobResume.self,
            JobDelete.self,
        ])
}

/// The job that a command is about.
struct JobNameArgument: ParsableArguments {
    @Argument(help: "The job.", completion: Completing.jobs, transform: Reading.jobName)
    var name: JobName
}

/// How jobs are shown.
enum JobText {
    /// A line for each job.
    static func table(_ jobs: [RemoteJob]) -> Table {
        var table = Table(columns: [
            .init("NAME", shrinks: true), .init("FUNCTION", shrinks: true), .init("SCHEDULE", shrinks: true),
            .init("TIMEZONE", drop: 2), .init("STATUS"), .init("NEXT"), .init("LAST", drop: 1, hides: true),
        ])
        let now = MonotonicTime.wallNow
        table.rows = jobs.map { job in
            let last = job.lastTick.map { "\($0.outcome) \(Human.distance($0.scheduledAt, from: now))" }
            return [
                .init(job.name, .bold), .init(job.function), .init(job.schedule), .init(job.timezone),
                .init(job.status, colour(ofStatus: job.status)), .init(Human.distance(job.next, from: now)),
                .init(last ?? "-"),
            ]
        }
        return table
    }

    /// One job in detail.
    static func sheet(_ job: RemoteJob, for output: Output) -> String {
        let now = MonotonicTime.wallNow
        var sheet = Sheet()
        sheet.add("function", job.function)
        sheet.add("schedule", job.schedule)
        sheet.add("timezone", job.timezone)
        sheet.add("status", job.status)
        sheet.add("next", Human.date(job.next, from: now))
        if let tick = job.lastTick {
            let reason = tick.reason.isEmpty ? "" : ": \(tick.reason)"
            sheet.add("last", "\(tick.outcome)\(reason), due \(Human.date(tick.scheduledAt, from: now) ?? "-")")
        }
        sheet.add("missed", job.missed)
        sheet.add("input", job.input.flatMap { $0 == .null ? nil : $0.description })
        sheet.add("created", Human.date(job.createdAt, from: now))
        return output.paint(.bold, job.name) + "\n\n" + sheet.render(for: output)
    }

    /// Green runs, yellow is paused, dim is over.
    static func colour(ofStatus status: String) -> Output.Colour? {
        switch status {
        case "active": .green
        case "paused": .yellow
        case "done": .dim
        default: nil
        }
    }

    /// One job in the form asked for; `line` is what people read.
    static func write(_ job: RemoteJob, as format: OutputFormat, line: String) throws(ClientError) {
        switch format {
        case .json: try Results.write(object: job.json)
        case .name: try Results.write(names: [job.name])
        case .table: try Output.standard.write(line: line)
        }
    }
}
