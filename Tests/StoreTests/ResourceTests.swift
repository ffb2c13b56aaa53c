// What projects own: rows of JSON, executions with results, and how many there were.

import Foundation
import Model
import TestSupport
import Testing

@testable import Store

@Suite struct `Resources of projects` {
    private static func execution(_ number: Int, project: String = "blue") -> ProjectExecution {
        ProjectExecution(
            id: Sample.id(number), project: project, function: "f", version: 0, alias: "live", description: "d",
            status: "running", isSync: false, build: 1, input: "{}", createdAt: WallTime(seconds: Int64(number)))
    }

    private static func change(_ rig: StoreRig, _ body: (inout ResourceChange) -> Void) throws {
        var change = ResourceChange()
        body(&change)
        try rig.answer { rig.store.change(change, then: $0) }
    }

    @Test func `are there after a restart, as they were put last`() throws {
        let old = ResourceRow(kind: "job", id: "1", project: "blue", body: [1])
        let new = ResourceRow(kind: "job", id: "1", project: "blue", body: [2])
        let other = ResourceRow(kind: "job", id: "2", project: "red", body: [])
        try TemporaryFolder.with { folder in
            try StoreRig.with(directory: folder.path(of: "data")) { rig in
                try Self.change(rig) { $0.puts = [old, other] }
                try Self.change(rig) {
                    $0.puts = [new]
                    $0.deletes = [("job", "2")]
                    $0.executions = [Self.execution(1), Self.execution(2)]
                }
                var ended = Self.execution(1)
                ended.status = "success"
                ended.result = "{}"
                ended.updatedAt = WallTime(seconds: 9)
                try Self.change(rig) { $0.ended = [ended, Self.execution(3)] }
                let found = try rig.answer { rig.store.projectExecutions(ProjectExecutionFilter(), then: $0) }
                #expect(found == [ended, Self.execution(2)])
            }
            try StoreRig.with(directory: folder.path(of: "data")) { rig in
                let state = rig.store.resourcesAtStart
                #expect(state.rows == [new])
                #expect(state.unfinished == [Self.execution(2)])
                #expect(state.counts.map(\.count) == [2])
            }
        }
    }

    @Test func `are found by project and id, and stay deleted`() throws {
        try TemporaryFolder.with { folder in
            try StoreRig.with(directory: folder.path(of: "data")) { rig in
                try Self.change(rig) { $0.executions = [Self.execution(1), Self.execution(2, project: "red")] }
                func find(_ filter: ProjectExecutionFilter) throws -> [ExecutionID] {
                    try rig.answer { rig.store.projectExecutions(filter, then: $0) }.map(\.id)
                }
                #expect(try find(ProjectExecutionFilter(project: "red")) == [Sample.id(2)])
                #expect(try find(ProjectExecutionFilter(project: "red", id: Sample.id(1))) == [])
                try Self.change(rig) { $0.deletedExecutions = [Sample.id(2)] }
                try Self.change(rig) { $0.ended = [Self.execution(2, project: "red")] }
                #expect(try find(ProjectExecutionFilter()) == [Sample.id(1)])
            }
        }
    }
}
