// taibai completion

import ArgumentParser

/// Writes the script that teaches a shell to complete this program's command lines.
struct Completion: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a completion script for a shell.",
        discussion: """
            Names of functions and jobs are completed too, by asking the server.

              taibai completion bash | sudo tee /etc/bash_completion.d/taibai
              taibai completion zsh > ~/.zsh/completions/_taibai    # a folder of $fpath
              taibai completion fish > ~/.config/fish/completions/taibai.fish
            """)

    /// The shells that can be taught.
    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    @Argument(help: "The shell.")
    var shell: Shell

    func run() throws {
        let script =
            switch shell {
            case .bash: Taibai.completionScript(for: .bash)
            case .zsh: Taibai.completionScript(for: .zsh)
            case .fish: Taibai.completionScript(for: .fish)
            }
        try Output.standard.write(line: script)
    }
}
