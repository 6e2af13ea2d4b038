package guard

import (
	"log/slog"
)

const (
	destID   = "76d73f29-7446-5baf-a700-3ad39be75475"
	ownUUID  = "0b8fbdc4-8d4b-4d1c-9c45-6e6f0f3f5d11"
	srcUUID  = "5a6d3c1e-1111-4222-8333-0123456789ab"
	digits64 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)

var discard = slog.New(slog.DiscardHandler)
