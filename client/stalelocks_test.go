package client

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/internal/testenv"
)

func TestZombies(t *testing.T) {
	t.Parallel()
	if isZombie(os.Getpid()) || isZombie(1<<30) {
		t.Error("this process, or one that is not there, is taken for a zombie")
	}
	cmd := exec.Command("true")
	mustDo(t, cmd.Start())
	testenv.Until(t, time.Minute, "the command to be a zombie", func() bool { return isZombie(cmd.Process.Pid) })
	mustDo(t, cmd.Wait())
	if isZombie(cmd.Process.Pid) {
		t.Error("its parent has seen it end")
	}
}
