// What follows from the end of a promised execution: functions that are told of it.

public import Model
internal import WorkerPool

extension Engine {
    /// Executions that are promised together with the end of this one.
    func followUps(
        of execution: PromisedExecution, _ record: ExecutionRecord, _ result: KeptResult?
    ) -> [PromisedExecution] {
        guard record.status.isFinal, record.status != .cancelled else { return [] }
        let destination = record.status == .success ? execution.terms.onSuccess : execution.terms.onFailure
        guard let destination else { return [] }
        let reference = destination.function
        guard execution.terms.hops < PromiseTerms.hopsMax else {
            note(execution, "\(reference) is not told: \(PromiseTerms.hopsMax) executions led to this one already")
            return []
        }
        let version: FunctionVersion
        do throws(Problem) {
            version = try resolve(reference)
        } catch {
            note(execution, "\(reference) is not told of the end: \(error.detail)")
            return []
        }
        var fields = FieldList()
        fields.append(name: ":method", value: "POST".utf8)
        fields.append(name: ":path", value: "/".utf8)
        fields.append(name: "content-type", value: "application/json".utf8)
        let body =
            switch destination.form {
            case .function: OutcomeDocument.json(record, result)
            case .lambda: LambdaRecord.json(execution, record, result)
            }
        var terms = version.settings.promise.terms(for: .async)
        terms.hops = execution.terms.hops + 1
        return [
            PromisedExecution(
                id: makeID(), version: version.key, trigger: .async,
                payload: DurablePayload(fields: fields, body: body).encoded, createdAt: clock.wall(), terms: terms)
        ]
    }

    /// What is promised in the place of an execution that is refused although it was accepted; nil when nobody is to be
    /// told of its failure.
    public func followUp(refusing execution: PromisedExecution, _ problem: Problem) -> PromisedExecution? {
        followUps(of: execution, record(of: execution, .dead, problem), nil).first
    }

    private func note(_ execution: PromisedExecution, _ text: String) {
        recorder.log(
            LogLine(
                execution: execution.id, function: execution.version.name, version: execution.version.number,
                time: clock.wall(), stream: .system, text: text))
    }
}

/// The end of an execution as JSON, for who is told of it.
enum OutcomeDocument {
    /// Of an answer that goes along: 256 KiB, AWS Lambda's limit for asynchronous events.
    static let bodyBytesMax = 256 << 10

    static func json(_ record: ExecutionRecord, _ result: KeptResult?) -> [UInt8] {
        var text: [UInt8] = []
        func key(_ name: StaticString) {
            text.append(text.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
            JSONText.quote(String(describing: name), into: &text)
            text.append(UInt8(ascii: ":"))
        }
        func member(_ name: StaticString, _ value: String) {
            key(name)
            JSONText.quote(value, into: &text)
        }
        member("execution", record.id.description)
        member("function", record.function.text)
        key("version")
        text.append(contentsOf: String(record.version.value).utf8)
        member("status", record.status.rawValue)
        key("attempts")
        text.append(contentsOf: String(record.attempts).utf8)
        if let status = record.responseStatus {
            key("responseStatus")
            text.append(contentsOf: String(status).utf8)
        }
        if let problem = record.problem {
            member("problem", problem.code.rawValue)
            member("detail", problem.detail)
        }
        if let body = result?.body, body.count <= bodyBytesMax, let string = String(validating: body, as: UTF8.self) {
            member("body", string)
        }
        text.append(UInt8(ascii: "}"))
        return text
    }
}
