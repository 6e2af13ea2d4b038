package storetest_test

import (
	"testing"

	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
	"github.com/rclone-gateway/rclone-gateway/gateway/storetest"
)

func TestMemConforms(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store { return storetest.NewMem() })
}
