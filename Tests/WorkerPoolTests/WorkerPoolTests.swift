// WorkerPoolTests
