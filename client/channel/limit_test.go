package channel

import (
	"testing"
	"time"

	"github.com/rclone-gateway/rclone-gateway/client/notifyfile"
)

// TestATryIsShort is what cuts off a service that takes ten minutes.
func TestATryIsShort(t *testing.T) {
	t.Parallel()
	if got := client(&notifyfile.Channel{}).Timeout; got != 30*time.Second {
		t.Errorf("a request may take %v", got)
	}
}
