// Every function of every project, in memory. The one owner of that state; the store has it as well. A change is
// applied here at once, so that what comes next in the same turn sees it, and taken back when the store refuses it.
// Whoever asked for it is answered when it is on the disk.

internal import Foundation
internal import Model
internal import Store

/// On the loop's thread.
final class Registry {
    /// By project and name.
    private(set) var functions: [String: FunctionResource] = [:]
    /// By project, group and name.
    private(set) var schedules: [String: ScheduleResource] = [:]
    /// Which function, and which of its qualifiers, a URL's id stands for.
    private(set) var urls: [String: (function: String, qualifier: String)] = [:]
    private let store: Store

    init(store: Store) throws(StoreError) {
        self.store = store
        for row in store.resourcesAtStart.rows {
            switch row.kind {
            case FunctionResource.kind: put(try Self.decoded(row) as FunctionResource)
            case ScheduleResource.kind:
                let schedule: ScheduleResource = try Self.decoded(row)
                schedules[schedule.key] = schedule
            case let kind where kind.hasPrefix(ResourceRow.lambdaPrefix):
                throw .damaged("there is no kind of resource '\(kind)'")
            default: break
            }
        }
    }

    private static func decoded<Value: Decodable>(_ row: ResourceRow) throws(StoreError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Foundation.Data(row.body))
        } catch {
            throw .damaged("\(row.kind) \(row.id) can't be read: \(error)")
        }
    }

    private func put(_ function: FunctionResource) {
        forgetURLs(of: function.key)
        functions[function.key] = function
        for (qualifier, url) in function.urls { urls[url.id] = (function.key, qualifier) }
    }

    private func remove(_ key: String) {
        forgetURLs(of: key)
        functions[key] = nil
    }

    private func forgetURLs(of key: String) {
        for url in functions[key]?.urls.values ?? [:].values { urls[url.id] = nil }
    }

    /// Of a project, by name.
    func functions(of project: String) -> [FunctionResource] {
        functions.values.filter { $0.project == project }.sorted { $0.name < $1.name }
    }

    /// Keeps a function as it is now, or nothing of it; `then` is told nil when that is on the disk.
    func commit(_ key: String, _ function: FunctionResource?, then: @escaping (Fault?) -> Void) throws(Fault) {
        var change = ResourceChange()
        if let function {
            change.puts.append(try function.row)
        } else {
            change.deletes.append((FunctionResource.kind, key))
        }
        let old = functions[key]
        if let function { put(function) } else { remove(key) }
        store.change(change) { [self] result in
            guard case .failure(let error) = result else { return then(nil) }
            if let old { put(old) } else { remove(key) }
            then(Fault(error))
        }
    }

    func commit(_ key: String, _ schedule: ScheduleResource?, then: @escaping (Fault?) -> Void) throws(Fault) {
        var change = ResourceChange()
        if let schedule {
            change.puts.append(try schedule.row)
        } else {
            change.deletes.append((ScheduleResource.kind, key))
        }
        let old = schedules[key]
        schedules[key] = schedule
        store.change(change) { [self] result in
            guard case .failure(let error) = result else { return then(nil) }
            schedules[key] = old
            then(Fault(error))
        }
    }
}
