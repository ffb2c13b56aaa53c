// Routes about aliases: names that lead to one version of a function, or to two by shares.

import Dispatcher
import HTTP
import Model
import Store

extension ControlDoor {
    var aliasRoutes: [Route] {
        [
            Route("GET", "v1/functions/*/aliases", "list aliases") { [unowned self] in listAliases($0) },
            Route("POST", "v1/functions/*/aliases", "make an alias") { [unowned self] in createAlias($0) },
            Route("PUT", "v1/functions/*/aliases/*", "change an alias") { [unowned self] in updateAlias($0) },
            Route("DELETE", "v1/functions/*/aliases/*", "delete an alias") { [unowned self] in deleteAlias($0) },
        ]
    }

    private func listAliases(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            let entry = try entry(request.words[0])
            let aliases = entry.aliases.keys.sorted().map { AliasView($0, in: entry) }
            request.exchange.answer(200, ["aliases": aliases])
        }
    }

    private func createAlias(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["name", "version", "split", "share"])
            let entry = try entry(request.words[0])
            guard let text = request.query["name"] else { throw Problem(.badRequest, "name is missing") }
            let alias = try aliasName(text)
            guard entry.aliases[alias] == nil else {
                throw Problem(
                    .alreadyExists,
                    "'\(entry.latest.name)@\(alias)' exists already; `taibai alias update` changes it")
            }
            guard let number = try number("version", request.query) else {
                throw Problem(.badRequest, "version is missing")
            }
            put(alias, entry, number, try split(request.query), request.exchange, status: 201)
        }
    }

    private func updateAlias(_ request: RouteRequest) {
        request.exchange.attempt { () throws(Problem) in
            try request.query.require(only: ["version", "split", "share"])
            let entry = try entry(request.words[0])
            let alias = try aliasName(request.words[1])
            guard let old = entry.aliases[alias] else { throw missing(alias, entry) }
            let number = try number("version", request.query)
            // Who moves an alias and says nothing of a second version wants all calls to go to the new one.
            put(alias, entry, number ?? old, try split(request.query), request.exchange, status: 200)
        }
    }

    private func put(
        _ alias: AliasName, _ entry: FunctionEntry, _ number: VersionNumber, _ split: Split?, _ exchange: Exchange,
        status: Int
    ) {
        let name = entry.latest.name
        store.setAlias(alias, of: name, to: number, split: split) { [unowned self] result in
            guard !exchange.isOver else { return }
            switch result {
            case .failure(let error): exchange.answer(error.problem)
            case .success:
                guard let entry = engine.catalog.functions[name] else { return exchange.answerNothing() }
                exchange.answer(status, AliasView(alias, in: entry))
            }
        }
    }

    private func deleteAlias(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let entry = try entry(request.words[0])
            let alias = try aliasName(request.words[1])
            guard entry.aliases[alias] != nil else { throw missing(alias, entry) }
            store.deleteAlias(alias, of: entry.latest.name) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success: exchange.answerNothing()
                case .failure(let error): exchange.answer(error.problem)
                }
            }
        }
    }

    private func missing(_ alias: AliasName, _ entry: FunctionEntry) -> Problem {
        Problem(
            .versionNotFound,
            "there is no alias '\(entry.latest.name)@\(alias)'; `taibai alias list \(entry.latest.name)` shows those "
                + "there are")
    }

    private func aliasName(_ text: String) throws(Problem) -> AliasName {
        do throws(NameError) { return try AliasName(text) } catch {
            throw Problem(.badRequest, "'\(text.prefix(80))' is no alias' name: \(error)")
        }
    }

    private func number(_ name: String, _ query: QueryItems) throws(Problem) -> VersionNumber? {
        guard let text = query[name] else { return nil }
        guard let number = Int(text).flatMap({ VersionNumber($0) }) else {
            throw Problem(.badRequest, "\(name) must be a version's number, such as 7, not '\(text.prefix(80))'")
        }
        return number
    }

    private func split(_ query: QueryItems) throws(Problem) -> Split? {
        guard let version = try number("split", query) else {
            guard query["share"] == nil else { throw Problem(.badRequest, "share needs split, the second version") }
            return nil
        }
        guard let share = query["share"].flatMap({ Double($0) }), let split = Split(version: version, share: share)
        else { throw Problem(.badRequest, "share must be a number from 0 to 1, such as 0.1") }
        return split
    }
}

private struct AliasView: Encodable {
    struct Second: Encodable {
        let version: Int
        let share: Double
    }

    let function, name: String
    let version: Int
    @Nullable var split: Second?

    init(_ alias: AliasName, in entry: FunctionEntry) {
        function = entry.latest.name.text
        name = alias.text
        version = entry.aliases[alias]?.value ?? 0
        split = entry.splits[alias].map { Second(version: $0.version.value, share: $0.share) }
    }
}
