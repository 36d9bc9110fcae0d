"""What `bedside doctor` looks at: machine, program, broker and nodes, one sentence each."""
