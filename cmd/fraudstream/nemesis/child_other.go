//go:build !linux

package nemesis

import "syscall"

// childAttributes has nothing to ask for where a child cannot be told to die with its parent.
func childAttributes() *syscall.SysProcAttr { return nil }
