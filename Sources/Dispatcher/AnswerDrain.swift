// The answer of an execution that nobody waits for: it flows, and is kept if it is not too large.

internal import Model
internal import WorkerPool

/// Takes an answer as fast as it comes.
final class AnswerDrain: AnswerReceiver {
    /// Of an answer that is kept: 6 MiB, AWS Lambda's limit. A larger one is not kept at all, since half an answer can
    /// look like a whole one.
    static let keptBytesMax = 6 << 20

    weak var call: Call?
    private var untold = 0
    private var keeps: Bool
    private var fields: [UInt8] = []
    private var body: [UInt8] = []
    private let onFinish: (Outcome, ExecutionCost, KeptResult?) -> Void

    init(keepsBody: Bool, onFinish: @escaping (Outcome, ExecutionCost, KeptResult?) -> Void) {
        keeps = keepsBody
        self.onFinish = onFinish
    }

    func head(_ head: AnswerHead) {
        if keeps { fields = head.fields.framed }
    }

    func chunk(_ bytes: borrowing Span<UInt8>) {
        if keeps { keep(bytes) }
        untold += bytes.count
        flow()
    }

    private func keep(_ bytes: borrowing Span<UInt8>) {
        guard body.count + bytes.count <= Self.keptBytesMax else {
            keeps = false
            body = []
            return
        }
        bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) }
    }

    func finish(_ outcome: Outcome, _ cost: ExecutionCost) {
        guard case .answered = outcome, keeps else { return onFinish(outcome, cost, nil) }
        onFinish(outcome, cost, KeptResult(fields: fields, body: body))
    }

    func flow() {
        guard let call, untold > 0 else { return }
        let count = untold
        untold = 0
        call.consumed(count)
    }
}
