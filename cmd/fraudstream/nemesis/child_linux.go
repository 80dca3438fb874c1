package nemesis

import "syscall"

// childAttributes puts a worker into a process group of its own, so that Ctrl-C reaches the test alone, and lets it
// die with the test, however the test ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
