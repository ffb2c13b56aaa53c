// Functions, versions and aliases in SQLite. What may not be deleted because something still needs it is decided here,
// inside the transaction, where nothing can change in between.

import GRDB
import Model

extension SQLiteSession {
    func catalog() throws -> Catalog {
        var aliases: [FunctionName: [AliasName: VersionNumber]] = [:]
        var splits: [FunctionName: [AliasName: Split]] = [:]
        try forEachRow("SELECT function, name, number, splitNumber, splitShare FROM alias") { row in
            aliases[try row.function(0), default: [:]][try row.alias(1)] = try row.number(2)
            guard let number = row[3] as Int?, let share = row[4] as Double? else { return }
            guard let version = VersionNumber(number), let split = Split(version: version, share: share) else {
                throw StoreError.damaged("an alias has the split \(number) \(share)")
            }
            splits[try row.function(0), default: [:]][try row.alias(1)] = split
        }
        var rolledBack: [FunctionName: VersionNumber] = [:]
        try forEachRow("SELECT name, rolledBackTo FROM function WHERE rolledBackTo IS NOT NULL") { row in
            rolledBack[try row.function(0)] = try row.number(1)
        }
        var functions: [FunctionName: FunctionEntry] = [:]
        var versions: [FunctionVersion] = []
        func endFunction() {
            guard let name = versions.first?.name else { return }
            functions[name] = FunctionEntry(
                versions: versions, aliases: aliases[name] ?? [:], splits: splits[name] ?? [:],
                rolledBackTo: rolledBack[name])
            versions = []
        }
        try forEachRow(
            """
            SELECT function, number, settings, package, packageSize, createdAt FROM version
            ORDER BY function, number
            """
        ) { row in
            let version = try row.functionVersion()
            if version.name != versions.first?.name { endFunction() }
            versions.append(version)
        }
        endFunction()
        return Catalog(functions: functions)
    }

    func publishVersion(
        settings: FunctionSettings, package: PackageDigest, packageSize: ByteCount, createdAt: WallTime
    ) throws -> FunctionVersion {
        let name = settings.name.text
        let count = try firstRow("SELECT count(*) FROM version WHERE function = ?", [name]) { $0[0] as Int } ?? 0
        guard count < StoreLimit.versionsPerFunctionMax else {
            throw StoreError.limitReached(
                "function '\(name)' has \(count) versions, the most that are kept: delete versions that nothing calls")
        }
        let number = try rows(
            """
            INSERT INTO function (name, lastNumber) VALUES (?, 1)
            ON CONFLICT (name) DO UPDATE SET lastNumber = lastNumber + 1, rolledBackTo = NULL RETURNING lastNumber
            """, [name]
        ) { try $0.number(0) }.first
        guard let number else { throw StoreError.damaged("function '\(name)' gave no number") }
        try execute(
            """
            INSERT INTO version (function, number, settings, package, packageSize, createdAt)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                name, number.value, try StoredSettings(settings).text(), package.hexadecimal, packageSize.bytes,
                createdAt.milliseconds,
            ])
        return FunctionVersion(
            number: number, settings: settings, package: package, packageSize: packageSize, createdAt: createdAt)
    }

    func deleteVersion(_ key: VersionKey) throws {
        let name = key.name.text
        let number = key.number.value
        let alias = try firstRow(
            "SELECT name FROM alias WHERE function = ?1 AND (number = ?2 OR splitNumber = ?2)", [name, number]
        ) {
            $0[0] as String
        }
        if let alias { throw StoreError.inUse(.version(key), by: "alias '\(name)@\(alias)'") }
        try refuseJobs(of: key.name, qualifier: .version(key.number), subject: .version(key))
        let isCurrent = try firstRow("SELECT 1 FROM function WHERE name = ? AND rolledBackTo = ?", [name, number]) {
            _ in true
        }
        if isCurrent == true {
            throw StoreError.inUse(.version(key), by: "function '\(name)', which was rolled back to it")
        }
        guard try change("DELETE FROM version WHERE function = ? AND number = ?", [name, number]) == 1 else {
            throw StoreError.notFound(.version(key))
        }
        let rest = try firstRow("SELECT 1 FROM version WHERE function = ? LIMIT 1", [name]) { _ in true }
        guard rest == true else {
            throw StoreError.inUse(.version(key), by: "function '\(name)', whose only version it is")
        }
    }

    func deleteFunction(_ name: FunctionName) throws {
        try refuseJobs(of: name, qualifier: nil, subject: .function(name))
        try execute("DELETE FROM alias WHERE function = ?", [name.text])
        guard try change("DELETE FROM version WHERE function = ?", [name.text]) > 0 else {
            throw StoreError.notFound(.function(name))
        }
    }

    func rollBack(_ name: FunctionName, to number: VersionNumber) throws {
        try requireVersion(name, .version(number))
        try execute("UPDATE function SET rolledBackTo = ? WHERE name = ?", [number.value, name.text])
    }

    func setAlias(
        _ alias: AliasName, of function: FunctionName, to number: VersionNumber, split: Split?
    ) throws {
        try requireVersion(function, .version(number))
        if let split { try requireVersion(function, .version(split.version)) }
        try execute(
            """
            INSERT INTO alias (function, name, number, splitNumber, splitShare) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (function, name) DO UPDATE SET number = excluded.number, splitNumber = excluded.splitNumber,
                splitShare = excluded.splitShare
            """, [function.text, alias.text, number.value, split?.version.value, split?.share])
        let count = try firstRow("SELECT count(*) FROM alias WHERE function = ?", [function.text]) { $0[0] as Int }
        guard let count, count <= StoreLimit.aliasesPerFunctionMax else {
            throw StoreError.limitReached(
                "function '\(function)' has \(StoreLimit.aliasesPerFunctionMax) aliases, the most there may be: "
                    + "delete one")
        }
    }

    func deleteAlias(_ alias: AliasName, of function: FunctionName) throws {
        let subject = StoreSubject.alias(alias, of: function)
        try refuseJobs(of: function, qualifier: .alias(alias), subject: subject)
        guard try change("DELETE FROM alias WHERE function = ? AND name = ?", [function.text, alias.text]) == 1 else {
            throw StoreError.notFound(subject)
        }
    }

    /// - Throws: ``StoreError`` `notFound` unless a call of this function with this qualifier would find a version.
    func requireVersion(_ function: FunctionName, _ qualifier: Qualifier) throws {
        let name = function.text
        let exists = { (sql: String, arguments: SQLValues) in
            try firstRow(sql, arguments) { _ in true } == true
        }
        guard try exists("SELECT 1 FROM version WHERE function = ? LIMIT 1", [name]) else {
            throw StoreError.notFound(.function(function))
        }
        switch qualifier {
        case .latest: return
        case .version(let number):
            guard try exists("SELECT 1 FROM version WHERE function = ? AND number = ?", [name, number.value]) else {
                throw StoreError.notFound(.version(VersionKey(name: function, number: number)))
            }
        case .alias(let alias):
            guard try exists("SELECT 1 FROM alias WHERE function = ? AND name = ?", [name, alias.text]) else {
                throw StoreError.notFound(.alias(alias, of: function))
            }
        }
    }

    /// - Parameter qualifier: only jobs that name just this; nil for all jobs of the function.
    private func refuseJobs(of function: FunctionName, qualifier: Qualifier?, subject: StoreSubject) throws {
        let job = try firstRow(
            "SELECT name FROM job WHERE function = ?1 AND (?2 IS NULL OR qualifier = ?2) ORDER BY name LIMIT 1",
            [function.text, qualifier?.storedText]
        ) { $0[0] as String }
        if let job { throw StoreError.inUse(subject, by: "job '\(job)'") }
    }
}
