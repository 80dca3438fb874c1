package nemesis

// InProcess lists the faults for the in-process broker: those that happen to processes, and those that can be put into
// a broker's answers.
func InProcess() []Fault { return ProcessFaults() }
