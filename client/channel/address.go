package channel

import (
	"errors"
	"fmt"
	"net/url"
)

// withoutAddress is an error of a request without the address, which may be a secret.
func withoutAddress(err error) error {
	if tooLong(err) {
		return fmt.Errorf("it did not answer within %v", tryFor)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
