package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A distance is a reverse proxy that puts a server some milliseconds away: each
// request waits before anything of it is passed on, and any number of them wait
// at once. Bytes are passed on as fast as they come. It speaks TLS, as a server
// that is far away does.
type distance struct {
	server   *http.Server
	endpoint string
	asked    atomic.Int64 // requests so far
}

// startDistance puts a distance in front of the server at that endpoint, and
// writes the certificate to trust to a file.
func startDistance(endpoint, certificate string, delay time.Duration) (*distance, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host // it is signed
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: connections,
			DisableCompression:  true,
			WriteBufferSize:     256 * kiB,
			ReadBufferSize:      256 * kiB,
		},
		BufferPool: newBufferPool(256 * kiB),
	}
	d := new(distance)
	handler := func(w http.ResponseWriter, r *http.Request) {
		d.asked.Add(1)
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
			proxy.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	key, err := selfSigned(certificate)
	if err != nil {
		listener.Close()
		return nil, err
	}
	// S3 speaks HTTP/1.1.
	config := &tls.Config{Certificates: []tls.Certificate{key}, NextProtos: []string{"http/1.1"}}
	d.server = &http.Server{Handler: http.HandlerFunc(handler), ReadHeaderTimeout: time.Minute}
	d.endpoint = "https://" + listener.Addr().String()
	go func() { _ = d.server.Serve(tls.NewListener(listener, config)) }() // until stop
	return d, nil
}

// stop cuts whoever is still connected: they are being stopped, too.
func (d *distance) stop() { _ = d.server.Close() }

// selfSigned makes a key and a certificate of this host's, and writes the latter
// to a file.
func selfSigned(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o600)
}

// bufferPool implements httputil.BufferPool.
type bufferPool struct{ pool sync.Pool }

func newBufferPool(size int) *bufferPool {
	return &bufferPool{sync.Pool{New: func() any {
		b := make([]byte, size)
		return &b
	}}}
}

func (p *bufferPool) Get() []byte  { return *p.pool.Get().(*[]byte) }
func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
