// Answers of a server as the control API documents them.

enum Fixture {
    static let hello = """
        {"name":"hello","version":3,"runtime":"python3","handler":"main.handler","contract":"lambda",\
        "memory":"128MiB","timeout":"30s","concurrency":1,"min":0,"max":16,"queueLengthMax":1600,"idleTimeout":"5m",\
        "env":{"GREETING":"Hi","B":"2"},"isolation":"process","aliases":["live"],"bodyMax":"6MiB",\
        "egress":["api.example.com:443","*.example.org:80"],"lifetime":"warm","tmp":"64MiB","processes":64,\
        "secrets":["DB_PASSWORD","API_KEY"],"secretEnv":false,"description":"Says hello.","showErrors":false,\
        "url":"http://localhost:8080/function/hello",\
        "package":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","packageSize":1234,\
        "createdAt":"2026-11-23T15:00:00.123Z"}
        """

    static func function(_ name: String, version: Int = 1) -> String {
        hello.replacing("\"name\":\"hello\"", with: "\"name\":\"\(name)\"")
            .replacing("\"version\":3", with: "\"version\":\(version)")
    }

    static let firstID = "019aa5c2-7b1e-7c3d-8a55-0f6f4c1d2e3b"
    static let secondID = "019aa5c2-9a00-7c3d-8a55-0f6f4c1d2e3c"

    static func execution(
        _ id: String, status: String = "success", cold: Bool = false, trigger: String = "http",
        problem: String = "null", createdAt: String = "2026-11-23T15:00:00.123Z"
    ) -> String {
        """
        {"id":"\(id)","function":"hello","version":3,"trigger":"\(trigger)","status":"\(status)","coldStart":\(cold),\
        "queueMs":0.12,"startMs":\(cold ? "3.1" : "0"),"initMs":\(cold ? "12.5" : "0"),"runMs":1240.5,"cpuMs":4.25,\
        "memoryPeakBytes":25165824,"responseStatus":200,"problem":\(problem),\
        "createdAt":"\(createdAt)","endedAt":"2026-11-23T15:00:01.400Z"}
        """
    }

    static func executions(_ items: String...) -> String {
        "{\"executions\":[\(items.joined(separator: ","))]}"
    }

    static let job = """
        {"name":"nightly","function":"hello","schedule":"cron 0 3 * * *","cron":"0 3 * * *",\
        "timezone":"Europe/Riga","input":{"z":1,"a":2.50},"missed":"one","status":"active",\
        "next":"2126-11-24T01:00:00.000Z","lastTick":{"scheduledAt":"2026-11-23T01:00:00.000Z",\
        "firedAt":"2026-11-23T01:00:00.003Z","outcome":"fired","execution":"\(firstID)","reason":"","latenessMs":3},\
        "createdAt":"2026-11-22T15:00:00.000Z"}
        """

    static let pools = """
        {"pools":[{"function":"idle","version":1,"ready":1,"busy":0,"starting":0,"draining":0,"inFlight":0,\
        "queued":0,"max":4,"min":0,"ratePerSecond":0,"startMs":3.1,"runMs":12.4,"memoryBytes":25165824,\
        "coldStarts":1,"executions":9,"failures":0},\
        {"function":"hello","version":3,"ready":1,"busy":3,"starting":2,"draining":0,"inFlight":3,"queued":7,\
        "max":16,"min":0,"ratePerSecond":41.26,"startMs":3.1,"runMs":50.1,"memoryBytes":125829120,"coldStarts":6,\
        "executions":1200,"failures":2}],\
        "host":{"cores":2,"load1":1.5,"memoryBytes":17179869184,"workers":7}}
        """

    static let server = """
        {"version":"0.1.0","isolation":"process","listen":["127.0.0.1:8080"],"dataDirectory":"/var/lib/taibai",\
        "startedAt":"2026-11-23T14:00:00.000Z","functions":2,"workers":7,"processId":42,"limits":{}}
        """

    static let runtimes = """
        {"runtimes":[{"name":"python3","contracts":["lambda"],"program":"/usr/bin/python3","version":"3.11.2",\
        "status":"available","reason":null},{"name":"exec","contracts":["exec"],"program":"","version":"",\
        "status":"available","reason":null}]}
        """

    static let brokenRuntimes = """
        {"runtimes":[{"name":"python3","contracts":["lambda"],"program":"/usr/bin/python3","version":"",\
        "status":"unavailable","reason":"/usr/bin/python3 does not exist"}]}
        """
}
