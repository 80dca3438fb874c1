//go:build !unix

package demo

import "syscall"

// childAttributes has nothing to ask for where there are no process groups of this kind; the show still ends
// its workers by their handles.
func childAttributes() *syscall.SysProcAttr { return nil }
