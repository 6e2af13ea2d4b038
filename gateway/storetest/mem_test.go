package storetest_test

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/rest"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestMemConforms(t *testing.T) {
	storetest.Run(t, func(*testing.T) rest.Store { return storetest.NewMem() })
}
