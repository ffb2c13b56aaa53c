extension ControlDoor { var jobRoutes: [Route] { [] } }
