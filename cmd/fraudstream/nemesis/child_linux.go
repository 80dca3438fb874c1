package nemesis

import "syscall"

// childAttributes puts a worker into a process group of its own, so that Ctrl-C reaches the show alone, which then
// drains in good order; and lets it die with the show, however the show ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
