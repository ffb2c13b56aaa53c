// Everything that projects have by this door, in memory. The one owner of that state; the store has it as well. A
// change is applied here at once, so that what comes next in the same turn sees it, and taken back when the store
// refuses it. Whoever asked for it is answered when it is on the disk.

internal import Model
internal import Store

/// A kind of what is kept, a row for each.
protocol Row: Codable, Sendable {
    static var kind: String { get }
    static var table: ReferenceWritableKeyPath<Registry, [String: Self]> { get }
    var key: String { get }
    var project: String { get }
}

extension Row {
    var row: ResourceRow {
        get throws(Fault) {
            do {
                return try ResourceRow(kind: Self.kind, id: key, project: project, encoding: self)
            } catch {
                throw .internalFault("\(Self.kind) \(key) could not be written: \(error)")
            }
        }
    }
}

/// A function as it was when it was called.
final class CalledFunction {
    let resource: FunctionResource
    let catalogName: FunctionName?

    init(_ resource: FunctionResource) {
        self.resource = resource
        catalogName = resource.catalogName
    }
}

/// On the loop's thread.
final class Registry {
    // Set by this class alone; a key path to write by can't be narrower.
    /// By project and name.
    var functions: [String: FunctionResource] = [:]
    /// By project, group and name.
    var schedules: [String: ScheduleResource] = [:]
    /// By project and name.
    var groups: [String: ScheduleGroup] = [:]
    /// Which function, and which of its qualifiers, a URL's id stands for.
    private(set) var urls: [String: (function: String, qualifier: String)] = [:]
    /// ``functions`` for their calls: one reference in the place of twenty.
    private(set) var called: [String: CalledFunction] = [:]
    private let store: Store

    init(store: Store) throws(StoreError) {
        self.store = store
        for row in store.resourcesAtStart.rows {
            switch row.kind {
            case FunctionResource.kind: try load(row, FunctionResource.self)
            case ScheduleResource.kind: try load(row, ScheduleResource.self)
            case ScheduleGroup.kind: try load(row, ScheduleGroup.self)
            case let kind where kind.hasPrefix(ResourceRow.lambdaPrefix):
                throw .damaged("there is no kind of resource '\(kind)'")
            default: break
            }
        }
    }

    private func load<Kind: Row>(_ row: ResourceRow, _ kind: Kind.Type) throws(StoreError) {
        let value = try row.decoded(as: kind)
        place(value.key, value)
    }

    private func place<Kind: Row>(_ key: String, _ value: Kind?) {
        let old = self[keyPath: Kind.table][key] as? FunctionResource
        for url in old?.urls.values ?? [:].values { urls[url.id] = nil }
        self[keyPath: Kind.table][key] = value
        if Kind.self == FunctionResource.self { called[key] = nil }
        guard let function = value as? FunctionResource else { return }
        called[key] = CalledFunction(function)
        for (qualifier, url) in function.urls { urls[url.id] = (function.key, qualifier) }
    }

    /// Of a project, by name.
    func functions(of project: String) -> [FunctionResource] {
        functions.values.filter { $0.project == project }.sorted { $0.name < $1.name }
    }

    /// Keeps something as it is now; `then` is told nil when that is on the disk.
    func put<Kind: Row>(_ value: Kind, then: @escaping (Fault?) -> Void) throws(Fault) {
        var change = ResourceChange()
        change.puts.append(try value.row)
        commit(change, value.key, value, then: then)
    }

    /// Forgets something.
    func remove<Kind: Row>(_ value: Kind, then: @escaping (Fault?) -> Void) {
        var change = ResourceChange()
        change.deletes.append((Kind.kind, value.key))
        commit(change, value.key, nil as Kind?, then: then)
    }

    private func commit<Kind: Row>(
        _ change: ResourceChange, _ key: String, _ value: Kind?, then: @escaping (Fault?) -> Void
    ) {
        let old = self[keyPath: Kind.table][key]
        place(key, value)
        store.change(change) { [self] result in
            guard case .failure(let error) = result else { return then(nil) }
            place(key, old)
            then(Fault(error))
        }
    }
}
