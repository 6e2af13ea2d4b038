package testenv

import (
	"net"
	"strconv"
	"testing"
)

func TestFreeAddrIsGivenOnce(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for range 50 {
		addr := FreeAddr(t)
		if given[addr] {
			t.Fatalf("%s is given twice", addr)
		}
		given[addr] = true
		_, text, _ := net.SplitHostPort(addr)
		port, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if reserve(t, port) {
			t.Errorf("another test gets %s, too", addr)
		}
	}
}

func TestFreeAddrIsFreeAgainAfterTheTest(t *testing.T) {
	t.Parallel()
	port := 0
	t.Run("that had it", func(t *testing.T) {
		_, text, _ := net.SplitHostPort(FreeAddr(t))
		port, _ = strconv.Atoi(text)
	})
	if !reserve(t, port) {
		t.Errorf("port %d is still taken", port)
	}
}

func TestFreeAddrIsNotWhereSomebodyListens(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		_, text, _ := net.SplitHostPort(listener.Addr().String())
		port, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if reserve(t, port) {
			t.Errorf("the port of a server at %s is given", listener.Addr())
		}
	}
}
