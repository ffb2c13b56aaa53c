// stub
internal import Dispatcher
internal import EventLoop
internal import Foundation
internal import Model
internal import Store
struct ScheduleResource: Codable {
    static let kind = ResourceRow.lambdaPrefix + "schedule"
    let key: String
    var row: ResourceRow { get throws(Fault) { ResourceRow(kind: Self.kind, id: key, project: "", body: []) } }
}
final class ScheduleClock {
    var target: (ScheduleResource) -> Int? = { _ in nil }
    init(registry: Registry, engine: Engine, loop: Loop) {}
    func arm() {}
}
extension LambdaDoor {
    var scheduleOperations: [Operation] { [] }
    func target(of schedule: ScheduleResource) -> Int? { nil }
}
