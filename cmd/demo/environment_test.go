package main

import (
	"slices"
	"testing"
)

func TestWhatAShellExportsForAnotherGatewayDoesNotReachTheDemo(t *testing.T) {
	t.Parallel()
	got := withoutForeign([]string{
		"PATH=/bin", "REDIS_PASSWORD_FILE=/x", "REDIS_URL=rediss://h", "RESTIC_REPOSITORY=r", "RESTIC_CACERT=c",
		"NS8_GATEWAY_URL=u", "NS8_METRICS_DIR=d", "GATEWAY_TLS_CERT=t", "NODE_ID=7", "NODE_OPTIONS=kept", "LISTEN_FDS=1", "HOME=/root",
	})
	if want := []string{"PATH=/bin", "NODE_OPTIONS=kept", "HOME=/root"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
