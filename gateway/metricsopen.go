package gateway

import (
	"context"
	"io"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/gateway/storage"
)

// counting returns open with what it opens counted until it is closed, also where
// the view that held it is long gone.
func (m *metrics) counting(open opener) opener {
	return func(ctx context.Context, d *catalog.Destination) (storage.Store, io.Closer, error) {
		opened, closer, err := open(ctx, d)
		if err != nil {
			return nil, nil, err
		}
		gauge := m.openStores.WithLabelValues(typeLabel(d))
		gauge.Inc()
		return opened, &countedCloser{closer: closer, gauge: gauge}, nil
	}
}

// countedCloser ends what counting counted; closer may be nil.
type countedCloser struct {
	closer io.Closer
	gauge  prometheus.Gauge
	once   sync.Once
}

func (c *countedCloser) Close() error {
	c.once.Do(c.gauge.Dec)
	if c.closer == nil {
		return nil
	}
	return c.closer.Close()
}
