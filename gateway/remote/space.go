package remote

import "context"

// Space tells how many bytes of the remote's storage are free, used and there in
// all, as far as the remote does; what it does not tell is -1. Buckets tell
// nothing.
func (s *Store) Space(ctx context.Context) (free, used, total int64, err error) {
	about := s.fs.Features().About
	if about == nil {
		return -1, -1, -1, nil
	}
	usage, err := about(s.with(ctx))
	if err != nil {
		return -1, -1, -1, s.failed(ctx, "ask for space", s.id, err)
	}
	return told(usage.Free), told(usage.Used), told(usage.Total), nil
}

func told(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
