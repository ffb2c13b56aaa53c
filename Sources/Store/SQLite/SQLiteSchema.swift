// The tables, as a list of steps from an empty file to today's schema. Steps are append-only: a step that was ever
// released is never edited.

import GRDB

/// The schema of the SQLite store. All tables are STRICT, so that a column never holds another type than it says.
/// Source: sqlite.org/stricttables.html (SQLite 3.37, 2021).
enum SQLiteSchema {
    /// The number of the last step, kept in the file as `user_version`.
    static let version = 10
    /// "Taib": marks the file as ours, kept as `application_id`. Source: sqlite.org/pragma.html#pragma_application_id.
    static let applicationID = 0x5461_6962

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.execute(sql: functions + jobs + executions + logs)
            try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = 1")
        }
        migrator.registerMigration("2") { db in
            try db.execute(sql: secrets)
            try db.execute(sql: "PRAGMA user_version = 2")
        }
        migrator.registerMigration("3") { db in
            try db.execute(sql: "ALTER TABLE execution ADD COLUMN isolation TEXT")
            try db.execute(sql: "ALTER TABLE execution ADD COLUMN limits TEXT")
            try db.execute(sql: "PRAGMA user_version = 3")
        }
        migrator.registerMigration("5") { db in
            try db.execute(sql: promises)
            try db.execute(sql: "PRAGMA user_version = 5")
        }
        migrator.registerMigration("6") { db in
            try db.execute(sql: resources)
            try db.execute(sql: "PRAGMA user_version = 6")
        }
        migrator.registerMigration("7") { db in
            try db.execute(sql: "ALTER TABLE function ADD COLUMN rolledBackTo INTEGER")
            try db.execute(sql: "PRAGMA user_version = 7")
        }
        migrator.registerMigration("10") { db in
            try db.execute(sql: "ALTER TABLE alias ADD COLUMN splitNumber INTEGER")
            try db.execute(sql: "ALTER TABLE alias ADD COLUMN splitShare REAL")
            try db.execute(sql: "PRAGMA user_version = 10")
        }
        return migrator
    }

    /// A function's row outlives the function, because its numbers must not be given again.
    private static let functions = """
        CREATE TABLE function (
            name TEXT NOT NULL PRIMARY KEY,
            lastNumber INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE version (
            function TEXT NOT NULL REFERENCES function (name),
            number INTEGER NOT NULL,
            settings TEXT NOT NULL,
            package TEXT NOT NULL,
            packageSize INTEGER NOT NULL,
            createdAt INTEGER NOT NULL,
            PRIMARY KEY (function, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE alias (
            function TEXT NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (function, name),
            FOREIGN KEY (function, number) REFERENCES version (function, number)
        ) STRICT, WITHOUT ROWID;

        """

    /// `sealed` is what SecretSeal made of the value; nothing here could open it.
    private static let secrets = """
        CREATE TABLE secret (
            name TEXT NOT NULL PRIMARY KEY,
            sealed BLOB NOT NULL,
            createdAt INTEGER NOT NULL,
            updatedAt INTEGER NOT NULL
        ) STRICT;

        """

    /// What projects own. `body` is JSON of the room that owns the kind; columns are what the store itself looks for.
    private static let resources = """
        CREATE TABLE resource (
            kind TEXT NOT NULL,
            id TEXT NOT NULL,
            project TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (kind, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE projectExecution (
            id BLOB NOT NULL PRIMARY KEY,
            project TEXT NOT NULL,
            function TEXT NOT NULL,
            version INTEGER NOT NULL,
            alias TEXT,
            description TEXT,
            status TEXT NOT NULL,
            isSync INTEGER NOT NULL,
            build INTEGER NOT NULL,
            input TEXT,
            result TEXT,
            createdAt INTEGER NOT NULL,
            updatedAt INTEGER
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX projectExecutionOfProject ON projectExecution (project, id);
        CREATE INDEX projectExecutionUnfinished ON projectExecution (id) WHERE status = 'running';
        CREATE TABLE executionCount (
            function TEXT NOT NULL,
            version INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (function, version)
        ) STRICT, WITHOUT ROWID;

        """

    private static let jobs = """
        CREATE TABLE job (
            id BLOB NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            function TEXT NOT NULL,
            qualifier TEXT NOT NULL,
            scheduleKind TEXT NOT NULL,
            schedule TEXT NOT NULL,
            zone TEXT NOT NULL,
            input BLOB NOT NULL,
            missed TEXT NOT NULL,
            status TEXT NOT NULL,
            createdAt INTEGER NOT NULL,
            cursor INTEGER NOT NULL,
            ticksSincePrune INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE INDEX jobOfFunction ON job (function);
        CREATE INDEX jobToPrune ON job (id) WHERE ticksSincePrune >= 50;
        CREATE TABLE tick (
            job BLOB NOT NULL REFERENCES job (id) ON DELETE CASCADE,
            scheduledAt INTEGER NOT NULL,
            firedAt INTEGER,
            outcome TEXT NOT NULL,
            execution BLOB,
            reason TEXT NOT NULL,
            PRIMARY KEY (job, scheduledAt)
        ) STRICT, WITHOUT ROWID;

        """

    /// Ids are UUIDs of version 7, so the primary key is also the order of age, and new rows go to one end of it. The
    /// payload lives apart, so that a list of executions does not drag bodies through the cache.
    private static let executions = """
        CREATE TABLE execution (
            id BLOB NOT NULL PRIMARY KEY,
            function TEXT NOT NULL,
            version INTEGER NOT NULL,
            trigger TEXT NOT NULL,
            status TEXT NOT NULL,
            createdAt INTEGER NOT NULL,
            endedAt INTEGER,
            isColdStart INTEGER NOT NULL DEFAULT 0,
            queueNanoseconds INTEGER NOT NULL DEFAULT 0,
            startNanoseconds INTEGER NOT NULL DEFAULT 0,
            initNanoseconds INTEGER NOT NULL DEFAULT 0,
            runNanoseconds INTEGER NOT NULL DEFAULT 0,
            cpuNanoseconds INTEGER,
            memoryPeak INTEGER,
            responseStatus INTEGER,
            problem TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX executionOfFunction ON execution (function, id);
        CREATE INDEX executionUnfinished ON execution (id) WHERE status IN ('queued', 'running');
        CREATE INDEX executionNotSuccessful ON execution (status, id) WHERE status <> 'success';
        CREATE TABLE payload (
            execution BLOB NOT NULL PRIMARY KEY REFERENCES execution (id) ON DELETE CASCADE,
            bytes BLOB NOT NULL
        ) STRICT;

        """

    /// `endOffset` is the bytes of all lines ever written up to the end of this one: the first and the last row tell
    /// how much text there is, without adding it up. The text is a BLOB because SQLite's texts end at the first NUL.
    private static let logs = """
        CREATE TABLE log (
            cursor INTEGER PRIMARY KEY AUTOINCREMENT,
            endOffset INTEGER NOT NULL,
            execution BLOB,
            function TEXT NOT NULL,
            version INTEGER NOT NULL,
            time INTEGER NOT NULL,
            stream TEXT NOT NULL,
            text BLOB NOT NULL
        ) STRICT;
        CREATE INDEX logOfExecution ON log (execution) WHERE execution IS NOT NULL;
        CREATE INDEX logOfFunction ON log (function);

        """

    /// `promise` has a row for each execution that was promised and has not ended, and for those whose input is kept.
    /// `dueAt` orders them within their function: 0 begins as soon as there is room, later instants wait for theirs,
    /// and the negative ones are PromiseState's. Numbers are never given twice, so that a reader may go on from where
    /// it was. `result.endOffset` is the bytes of all results up to the end of this one, as in `log`.
    private static let promises = """
        ALTER TABLE execution ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE promise (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            execution BLOB NOT NULL UNIQUE REFERENCES execution (id) ON DELETE CASCADE,
            function TEXT NOT NULL,
            dueAt INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            failures INTEGER NOT NULL DEFAULT 0,
            terms TEXT NOT NULL
        ) STRICT;
        CREATE INDEX promiseWaiting ON promise (function, dueAt, sequence);
        CREATE INDEX promiseTaken ON promise (dueAt) WHERE dueAt = -1;
        INSERT INTO promise (execution, function, dueAt, terms)
            SELECT id, function, iif(status = 'dead', -2, 0), '' FROM execution
            WHERE status IN ('queued', 'running') OR (status = 'dead' AND id IN (SELECT execution FROM payload))
            ORDER BY id;
        CREATE TABLE result (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            execution BLOB NOT NULL UNIQUE REFERENCES execution (id) ON DELETE CASCADE,
            keptUntil INTEGER NOT NULL,
            endOffset INTEGER NOT NULL,
            fields BLOB,
            body BLOB
        ) STRICT;
        CREATE INDEX resultKept ON result (keptUntil);
        CREATE TABLE idempotency (
            function TEXT NOT NULL,
            key TEXT NOT NULL,
            digest BLOB NOT NULL,
            execution BLOB NOT NULL,
            keptUntil INTEGER NOT NULL,
            PRIMARY KEY (function, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idempotencyKept ON idempotency (keptUntil);

        """
}
