// Every resource of every project, in memory. The one owner of that state; the store has it as well, and is written
// first to be told last: a change is applied here at once, so that what comes next in the same turn sees it, and taken
// back when the store refuses it. Whoever asked for it is answered when it is on the disk.

internal import ControlAPI
internal import Model
internal import Store

/// On the loop's thread.
final class Registry {
    var runtimes: [String: RuntimeResource] = [:]
    var functions: [String: FunctionResource] = [:]
    /// By `function:number`.
    var versions: [String: VersionResource] = [:]
    var aliases: [String: AliasResource] = [:]
    var jobs: [String: JobResource] = [:]
    var webhooks: [String: WebhookResource] = [:]
    var tokens: [String: TokenResource] = [:]
    private var counts: [String: Int] = [:]
    private let store: Store

    init(store: Store) throws(StoreError) {
        self.store = store
        let state = store.resourcesAtStart
        for row in state.rows { try load(row) }
        for entry in state.counts { counts[Self.key(entry.function, entry.version)] = entry.count }
    }

    private func load(_ row: ResourceRow) throws(StoreError) {
        func take<Kind: Resource>(_ kind: Kind.Type) throws(StoreError) {
            let resource = try row.decoded(as: kind)
            self[keyPath: kind.table][resource.key] = resource
        }
        switch row.kind {
        case RuntimeResource.kind: try take(RuntimeResource.self)
        case FunctionResource.kind: try take(FunctionResource.self)
        case VersionResource.kind: try take(VersionResource.self)
        case AliasResource.kind: try take(AliasResource.self)
        case JobResource.kind: try take(JobResource.self)
        case WebhookResource.kind: try take(WebhookResource.self)
        case TokenResource.kind: try take(TokenResource.self)
        // The other doors' own.
        case let kind where kind.hasPrefix(ResourceRow.lambdaPrefix): break
        default: throw .damaged("there is no kind of resource '\(row.kind)'")
        }
    }

    static func key(_ function: String, _ version: Int) -> String { "\(function):\(version)" }

    /// Executions there ever were of a version.
    func count(_ function: String, _ version: Int) -> Int { counts[Self.key(function, version), default: 0] }
    func counted(_ function: String, _ version: Int) { counts[Self.key(function, version), default: 0] += 1 }

    func version(_ function: String, _ number: Int) -> VersionResource? { versions[Self.key(function, number)] }
    func versions(of function: String) -> [VersionResource] {
        versions.values.filter { $0.function == function }.sorted { $0.number < $1.number }
    }

    /// By age.
    func all<Kind: Resource>(_ kind: Kind.Type) -> [Kind] {
        self[keyPath: kind.table].values.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }

    /// What is to happen together.
    struct Change {
        var store = ResourceChange()
        fileprivate var apply: [(Registry) -> (Registry) -> Void] = []

        mutating func put<Kind: Resource>(_ resource: Kind) throws(Fault) {
            store.puts.append(try resource.row)
            set(Kind.table, resource.key, resource)
        }

        mutating func delete<Kind: Resource>(_ resource: Kind) {
            store.deletes.append((Kind.kind, resource.key))
            set(Kind.table, resource.key, nil)
        }

        private mutating func set<Kind: Resource>(
            _ table: ReferenceWritableKeyPath<Registry, [String: Kind]>, _ id: String, _ value: Kind?
        ) {
            apply.append { registry in
                let old = registry[keyPath: table][id]
                registry[keyPath: table][id] = value
                return { $0[keyPath: table][id] = old }
            }
        }
    }

    /// Carries a change out; `then` is told nil when it is on the disk.
    func commit(_ change: Change, then: @escaping (Fault?) -> Void) {
        let undo = change.apply.map { $0(self) }
        store.change(change.store) { [self] result in
            switch result {
            case .success: then(nil)
            case .failure(let error):
                for step in undo.reversed() { step(self) }
                then(Fault(error))
            }
        }
    }
}
