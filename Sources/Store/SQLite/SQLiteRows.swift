// Between SQLite's columns and Model's types. Columns are read by position, in the order of the statement's SELECT.

import Foundation
import GRDB
import Model

extension ExecutionID {
    /// 16 bytes, the highest first, so that SQLite sorts ids by age.
    var blob: Data { withUnsafeBytes(of: value.bigEndian) { Data($0) } }
}

extension [UInt8] {
    var blob: Data { Data(self) }
}

extension Job {
    /// The columns that an update may change, in the order of the statements.
    var storedColumns: SQLValues {
        let schedule = schedule.storedForm
        return [
            function.name.text, function.qualifier.storedText, schedule.kind, schedule.text, schedule.zone, input.blob,
            missed.rawValue, status.rawValue,
        ]
    }
}

extension ExecutionRecord {
    func bindColumns(to columns: inout DirectBinding) throws {
        columns.bind(id)
        columns.bind(function.text)
        columns.bind(version.value)
        columns.bind(trigger.description)
        columns.bind(status.rawValue)
        columns.bind(createdAt.milliseconds)
        columns.bind(endedAt?.milliseconds)
        columns.bind(cost.isColdStart ? 1 : 0)
        columns.bind(cost.queue.nanoseconds)
        columns.bind(cost.start.nanoseconds)
        columns.bind(cost.initialize.nanoseconds)
        columns.bind(cost.run.nanoseconds)
        columns.bind(cost.cpu?.nanoseconds)
        columns.bind(cost.memoryPeak?.bytes)
        columns.bind(responseStatus)
        columns.bind(try StoredProblem.text(problem))
        columns.bind(confinement?.level.rawValue)
        columns.bind(confinement?.limits.rawValue)
        columns.bind(attempts)
    }
}

/// All throw ``StoreError`` `damaged` when a column does not hold what Taibai writes there.
extension Row {
    private func damaged(_ index: Int, _ what: any Error) -> StoreError {
        .damaged("column \(index + 1) of a row: \(what)")
    }

    func id(_ index: Int) throws -> ExecutionID {
        guard let id = try optionalID(index) else { throw StoreError.damaged("an id is missing") }
        return id
    }

    func optionalID(_ index: Int) throws -> ExecutionID? {
        try withUnsafeData(atIndex: index) { data in
            guard let data else { return nil }
            guard data.count == 16 else { throw StoreError.damaged("an id has \(data.count) bytes") }
            return ExecutionID(value: data.reduce(0) { $0 << 8 | UInt128($1) })
        }
    }

    func bytes(_ index: Int) throws -> [UInt8] {
        try withUnsafeData(atIndex: index) { data in data.map { [UInt8]($0) } ?? [] }
    }

    func function(_ index: Int) throws -> FunctionName {
        do { return try FunctionName(self[index] as String) } catch { throw damaged(index, error) }
    }

    func alias(_ index: Int) throws -> AliasName {
        do { return try AliasName(self[index] as String) } catch { throw damaged(index, error) }
    }

    func jobName(_ index: Int) throws -> JobName {
        do { return try JobName(self[index] as String) } catch { throw damaged(index, error) }
    }

    /// `name, createdAt, updatedAt`
    func secretFacts() throws -> SecretFacts {
        do {
            return SecretFacts(name: try SecretName(self[0] as String), createdAt: time(1), updatedAt: time(2))
        } catch {
            throw damaged(0, error)
        }
    }

    func number(_ index: Int) throws -> VersionNumber {
        guard let number = VersionNumber(self[index] as Int) else {
            throw StoreError.damaged("version \(self[index] as Int)")
        }
        return number
    }

    func time(_ index: Int) -> WallTime { WallTime(milliseconds: self[index]) }
    func optionalTime(_ index: Int) -> WallTime? { (self[index] as Int64?).map(WallTime.init(milliseconds:)) }

    /// `function, number, settings, package, packageSize, createdAt`
    func functionVersion() throws -> FunctionVersion {
        let settings = try StoredSettings.settings(self[2])
        guard let package = PackageDigest(self[3] as String) else {
            throw StoreError.damaged("version \(settings.name) has no package digest")
        }
        return FunctionVersion(
            number: try number(1), settings: settings, package: package,
            packageSize: ByteCount(bytes: self[4]), createdAt: time(5))
    }

    /// `id, name, function, qualifier, scheduleKind, schedule, zone, input, missed, status, createdAt, cursor`
    func job() throws -> Job {
        do {
            return Job(
                id: try id(0), name: try jobName(1),
                function: try FunctionReference((self[2] as String) + (self[3] as String)),
                schedule: try Schedule(kind: self[4], text: self[5], zone: self[6], seed: self[1]), input: try bytes(7),
                missed: try stored(self[8], "missed policy"), status: try stored(self[9], "job status"),
                createdAt: time(10), cursor: time(11))
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError.damaged("job '\(self[1] as String)': \(error)")
        }
    }

    /// `job, name, scheduledAt, firedAt, outcome, execution, reason`
    func tick() throws -> Tick {
        Tick(
            job: try id(0), jobName: try jobName(1), scheduledAt: time(2), firedAt: optionalTime(3),
            outcome: try stored(self[4], "tick outcome"), execution: try optionalID(5), reason: self[6])
    }

    private func trigger(_ index: Int) throws -> Trigger {
        guard let trigger = Trigger(self[index] as String) else {
            throw StoreError.damaged("there is no trigger '\(self[index] as String)'")
        }
        return trigger
    }

    /// `id, function, version, trigger, createdAt, bytes, terms, attempts, failures, dueAt`
    func queuedExecution() throws -> QueuedExecution {
        let trigger = try trigger(3)
        let dueAt = self[9] as Int64
        return QueuedExecution(
            id: try id(0), function: try function(1), version: try number(2), trigger: trigger, payload: try bytes(5),
            createdAt: time(4), terms: try StoredTerms.terms(self[6], of: trigger),
            standing: PromiseStanding(attempts: self[7], failures: self[8]),
            dueAt: dueAt > 0 ? WallTime(milliseconds: dueAt) : nil)
    }

    /// `id, function, version, trigger, status, createdAt, endedAt, isColdStart, queue, start, init, run, cpu,
    /// memoryPeak, responseStatus, problem, isolation, limits, attempts, dueAt`
    func executionRecord() throws -> ExecutionRecord {
        var record = ExecutionRecord(
            id: try id(0), function: try function(1), version: try number(2), trigger: try trigger(3),
            status: try stored(self[4], "execution status"), createdAt: time(5))
        record.endedAt = optionalTime(6)
        record.cost.isColdStart = self[7]
        record.cost.queue = .nanoseconds(self[8] as Int64)
        record.cost.start = .nanoseconds(self[9] as Int64)
        record.cost.initialize = .nanoseconds(self[10] as Int64)
        record.cost.run = .nanoseconds(self[11] as Int64)
        record.cost.cpu = (self[12] as Int64?).map { .nanoseconds($0) }
        record.cost.memoryPeak = (self[13] as Int?).map(ByteCount.init(bytes:))
        record.responseStatus = self[14]
        record.problem = try (self[15] as String?).map(StoredProblem.problem)
        if let level = (self[16] as String?).flatMap(IsolationLevel.init), let limits = self[17] as String? {
            record.confinement = Confinement(level: level, limits: try stored(limits, "limits"))
        }
        record.attempts = self[18]
        record.dueAt = optionalTime(19)
        return record
    }

    /// `cursor, execution, function, version, time, stream, text`
    func logEntry() throws -> LogEntry {
        LogEntry(
            cursor: self[0],
            line: LogLine(
                execution: try optionalID(1), function: try function(2), version: try number(3), time: time(4),
                stream: try stored(self[5], "stream"), text: String(decoding: try bytes(6), as: UTF8.self)))
    }
}
