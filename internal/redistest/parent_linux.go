package redistest

import "syscall"

// dieWithParent ends the server with a test that was itself killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
