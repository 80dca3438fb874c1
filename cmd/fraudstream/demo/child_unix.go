//go:build unix && !linux

package demo

import "syscall"

// childAttributes puts a worker into a process group of its own, so that Ctrl-C reaches the show alone, which then
// drains in good order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
