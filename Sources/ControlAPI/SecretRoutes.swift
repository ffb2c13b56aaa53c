// Routes about secrets. Values come in here and go nowhere but into the vault: no answer, problem or log line holds
// one, and there is no route that reads one back.

import Dispatcher
import HTTP
import Model
import Store

extension ControlDoor {
    var secretRoutes: [Route] {
        [
            Route("PUT", "v1/secrets/*", "set a secret's value") { [unowned self] in setSecret($0) },
            Route("GET", "v1/secrets", "list secrets, without their values") { [unowned self] in listSecrets($0) },
            Route("DELETE", "v1/secrets/*", "delete a secret") { [unowned self] in deleteSecret($0) },
        ]
    }

    private func setSecret(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let name: SecretName
            do throws(SecretNameError) { name = try SecretName(request.words[0]) } catch {
                throw Problem(.badRequest, "\(error)")
            }
            exchange.collectBody(max: SecretValue.bytesMax) { [unowned self] body in
                exchange.attempt { () throws(Problem) in try setSecret(name, to: body, exchange) }
            }
        }
    }

    private func setSecret(_ name: SecretName, to body: [UInt8], _ exchange: Exchange) throws(Problem) {
        let value: SecretValue
        do throws(SecretValueError) { value = try SecretValue(body) } catch { throw Problem(.badRequest, "\(error)") }
        let exporter = latestVersions(using: name).first { $0.settings.exportsSecrets }
        if let exporter, !value.fitsVariable {
            throw Problem(
                .badRequest,
                "the value contains a NUL byte, which a variable can't, and function '\(exporter.name)' has the secret "
                    + "as one; deploy it without secretEnv first")
        }
        vault.set(name, to: value) { [unowned self] result in
            guard !exchange.isOver else { return }
            switch result {
            case .success(false): exchange.answerNothing()
            case .success(true):
                exchange.answer(201, vault.facts.first { $0.name == name }.map { SecretView($0) })
            case .failure(let error): exchange.answer(error.problem)
            }
        }
    }

    private func listSecrets(_ request: RouteRequest) {
        request.exchange.answer(200, ["secrets": vault.facts.map { SecretView($0) }])
    }

    private func deleteSecret(_ request: RouteRequest) {
        let exchange = request.exchange
        exchange.attempt { () throws(Problem) in
            let name: SecretName
            do throws(SecretNameError) { name = try SecretName(request.words[0]) } catch {
                throw Problem(.secretNotFound, "'\(request.words[0])' is no secret's name: \(error)")
            }
            if let user = latestVersions(using: name).first {
                throw Problem(
                    .inUse,
                    "secret '\(name)' is still used by function '\(user.name)'; deploy it without the secret, or "
                        + "delete it first")
            }
            vault.delete(name) { result in
                guard !exchange.isOver else { return }
                switch result {
                case .success: exchange.answerNothing()
                case .failure(let error): exchange.answer(error.problem)
                }
            }
        }
    }

    /// The functions whose newest version is given this secret, by name.
    private func latestVersions(using secret: SecretName) -> [FunctionVersion] {
        engine.catalog.functions.values.map(\.latest).filter { $0.settings.secrets.contains(secret) }
            .sorted { $0.name < $1.name }
    }
}

private struct SecretView: Encodable {
    let name, createdAt, updatedAt: String

    init(_ facts: SecretFacts) {
        name = facts.name.text
        createdAt = facts.createdAt.iso8601
        updatedAt = facts.updatedAt.iso8601
    }
}
