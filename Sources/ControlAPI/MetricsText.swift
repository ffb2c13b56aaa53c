// Numbers in Prometheus' text format. Names and units follow its conventions: seconds and bytes, `_total` for what only
// grows. Source: prometheus.io/docs/instrumenting/exposition_formats, …/practices/naming.

import Autoscaler
import Dispatcher
import Foundation
import Model
import Store
import WorkerPool

/// A page of metrics while it is written.
struct MetricsText {
    private(set) var text = ""

    /// A sample: labels in order, and the value.
    private typealias Sample = (labels: [(String, String)], value: Double)

    private mutating func add(_ name: String, _ type: String, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        begin(name, type, help)
        for sample in samples { line(name, sample.labels, sample.value) }
    }

    private mutating func begin(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: Double) {
        // Names of functions and our own words have nothing that would need escaping.
        let list = labels.map { "\($0)=\"\($1)\"" }.joined(separator: ",")
        let number = value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
        text += list.isEmpty ? "\(name) \(number)\n" : "\(name){\(list)} \(number)\n"
    }

    private mutating func addHistograms(_ name: String, _ help: String, _ all: [([(String, String)], Histogram)]) {
        let known = all.filter { $0.1.count > 0 }
        guard !known.isEmpty else { return }
        begin(name, "histogram", help)
        for (labels, histogram) in known {
            var total = 0
            for (bound, count) in zip(Histogram.bounds, histogram.counts) {
                total += count
                line("\(name)_bucket", labels + [("le", String(bound))], Double(total))
            }
            line("\(name)_bucket", labels + [("le", "+Inf")], Double(histogram.count))
            line("\(name)_sum", labels, Double(histogram.sum.nanoseconds) / 1e9)
            line("\(name)_count", labels, Double(histogram.count))
        }
    }
}

// Pools.
extension MetricsText {
    mutating func addPools(_ pools: [PoolStatus]) {
        let labelled = Self.byVersion(pools).map { (labels: Self.labels($0), status: $0) }
        func each(_ read: (PoolStatus) -> Double) -> [Sample] { labelled.map { ($0.labels, read($0.status)) } }
        add(
            "taibai_executions_total", "counter", "Executions that have ended, by outcome.",
            labelled.flatMap { labels, status in
                [(labels + [("outcome", "answered")], Double(status.counters.answered))]
                    + status.counters.problems.sorted { $0.key.rawValue < $1.key.rawValue }
                    .map { (labels + [("outcome", $0.key.rawValue)], Double($0.value)) }
            })
        add(
            "taibai_executions_unrecorded_total", "counter", "Executions of which no record was kept.",
            each { Double($0.counters.unrecorded) })
        add(
            "taibai_cold_starts_total", "counter", "Workers that became ready.", each { Double($0.counters.starts) })
        add(
            "taibai_execution_cpu_seconds_total", "counter", "Processor time of executions, as far as it is known.",
            each { Double($0.counters.cpu.nanoseconds) / 1e9 })
        addHistograms(
            "taibai_execution_queue_seconds", "Time executions waited for a worker.",
            labelled.map { ($0.labels, $0.status.counters.queueTimes) })
        addHistograms(
            "taibai_execution_run_seconds", "Time executions ran.",
            labelled.map { ($0.labels, $0.status.counters.runTimes) })
        addHistograms(
            "taibai_worker_start_seconds", "Time from the order for a worker to its first word.",
            labelled.map { ($0.labels, $0.status.counters.startTimes) })
        addHistograms(
            "taibai_worker_init_seconds", "Time a worker took to load the handler.",
            labelled.map { ($0.labels, $0.status.counters.initTimes) })
        add(
            "taibai_workers", "gauge", "Workers by state.",
            labelled.flatMap { labels, status in
                [
                    ("ready", status.idle), ("busy", status.busy), ("starting", status.starting),
                    ("draining", status.draining),
                ].map { (labels + [("state", $0)], Double($1)) }
            })
        add("taibai_queue_length", "gauge", "Executions that wait for a worker.", each { Double($0.queued) })
        add(
            "taibai_worker_memory_bytes", "gauge", "Memory counted for the workers.", each { Double($0.memory.bytes) })
        add(
            "taibai_autoscaler_decisions_total", "counter", "Decisions of the autoscaler by kind.",
            labelled.flatMap { labels, status in
                Decision.Action.allCases.map { (labels + [("action", $0.rawValue)], Double(status.decisions[$0] ?? 0)) }
            })
    }

    private static func labels(_ status: PoolStatus) -> [(String, String)] {
        [("function", status.version.name.text), ("version", String(status.version.number.value))]
    }

    /// One of each version: a pool on its way out may be there beside the one that took its place.
    private static func byVersion(_ pools: [PoolStatus]) -> [PoolStatus] {
        var seen: Set<VersionKey> = []
        return pools.filter { seen.insert($0.version).inserted }
    }
}

// The server.
extension MetricsText {
    mutating func addServer(_ engine: Engine, lag: Duration, functions: Int) {
        add("taibai_functions", "gauge", "Deployed functions.", [([], Double(functions))])
        add(
            "taibai_async_queue_length", "gauge", "Promised executions that have not begun.",
            [([], Double(engine.backlogCount))])
        add(
            "taibai_workers_memory_max_bytes", "gauge", "Memory that all workers may have together.",
            engine.memoryMax.map { [([], Double($0.bytes))] } ?? [])
        add(
            "taibai_event_loop_lag_seconds", "gauge", "How long work waited for its turn in the event loop just now.",
            [([], Double(lag.nanoseconds) / 1e9)])
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        add(
            "process_cpu_seconds_total", "counter", "Processor time of the server without its workers.",
            [([], seconds(usage.ru_utime) + seconds(usage.ru_stime))])
        add(
            "process_start_time_seconds", "gauge", "When the server started, since 1970.",
            [([], Double(engine.startedAt.milliseconds) / 1000)])
        guard let pages = Self.residentPages else { return }
        add(
            "process_resident_memory_bytes", "gauge", "Memory of the server without its workers.",
            [([], Double(pages * sysconf(Int32(_SC_PAGESIZE))))])
    }

    /// The second number of proc_pid_statm(5).
    private static var residentPages: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }

    mutating func addStore(_ counters: StoreCounters) {
        add(
            "taibai_store_records_dropped_total", "counter", "Records that the disk did not take, and were given up.",
            [([], Double(counters.recordsDropped))])
        add(
            "taibai_store_log_lines_dropped_total", "counter", "Log lines that were given up.",
            [([], Double(counters.logLinesDropped))])
        add(
            "taibai_store_operations_waiting", "gauge", "Requests to the store that wait for the disk.",
            [([], Double(counters.operationsWaiting))])
    }
}
