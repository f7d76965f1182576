package history

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

// The block form, byte by byte, is described in docs/history.md. All integers of fixed size are little endian; all checksums are
// CRC-32C, for which processors have an instruction.
//
//	file  = magic prelude { block } [ seal ]
//	magic = 8 bytes; prelude = version u32, length u32, header JSON, checksum u32
//	block = frame payload; seal = frame checksum u32

const (
	magic = "\x89WRKN\r\n\x1a" // damaged by every transfer that takes it for text

	preludeFixed = len(magic) + 8 // magic, version and length of the header
	maxHeader    = 16 << 20

	frameSize  = 28
	maxRows    = 1 << 16  // events in a block, for a reader
	maxPayload = 64 << 20 // bytes in a block, for a reader
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// A frame announces a block or the seal.
type frame struct {
	tag    [4]byte
	length uint32 // of the payload
	count  uint32 // events in the block; for the seal: blocks in the file
	first  uint64 // seq of the block's first event; for the seal: events in the file
	sum    uint32 // checksum of the payload
	own    uint32 // checksum of the frame up to here
}

var (
	tagBlock = [4]byte{'b', 'l', 'c', 'k'}
	tagSeal  = [4]byte{'s', 'e', 'a', 'l'}
)

// put writes the frame over b[:frameSize] and gives its own checksum, which the seal is made of.
func (f frame) put(b []byte) uint32 {
	copy(b, f.tag[:])
	binary.LittleEndian.PutUint32(b[4:], f.length)
	binary.LittleEndian.PutUint32(b[8:], f.count)
	binary.LittleEndian.PutUint64(b[12:], f.first)
	binary.LittleEndian.PutUint32(b[20:], f.sum)
	own := checksum(b[:24])
	binary.LittleEndian.PutUint32(b[24:], own)
	return own
}

func readFrame(b []byte) (f frame, err error) {
	copy(f.tag[:], b)
	f.length = binary.LittleEndian.Uint32(b[4:])
	f.count = binary.LittleEndian.Uint32(b[8:])
	f.first = binary.LittleEndian.Uint64(b[12:])
	f.sum = binary.LittleEndian.Uint32(b[20:])
	f.own = binary.LittleEndian.Uint32(b[24:])
	if f.own != checksum(b[:24]) {
		return f, fmt.Errorf("the checksum of a block's frame does not match")
	}
	return f, nil
}

// sums gathers the checksums of all frames into the one that the seal holds.
type sums uint32

func (s *sums) add(own uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], own)
	*s = sums(crc32.Update(uint32(*s), castagnoli, b[:]))
}

// blockHeader is the header of the block form: what was known at the start. A history that was not recorded but written from another
// one knows more.
type blockHeader struct {
	Header
	Units    []string `json:"units,omitempty"`    // see History.UnitNames
	Lost     string   `json:"lost,omitempty"`     // see History; of the one it was written from
	Warnings []string `json:"warnings,omitempty"` // the same
}

func appendPrelude(dst []byte, h blockHeader) ([]byte, error) {
	js, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	if len(js) > maxHeader {
		return nil, fmt.Errorf("encode header: %d bytes are more than %d", len(js), maxHeader)
	}
	from := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Format))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(js)))
	dst = append(dst, js...)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[from:])), nil
}

// How a column is stored.
const (
	columnSame  = 0 // all events that have a value have this one
	columnDelta = 1 // one difference to the event before for each event that has a value
)

// zigzag makes small numbers of small differences, whatever their sign; the difference may wrap around.
func zigzag(d uint64) uint64   { return d<<1 ^ uint64(int64(d)>>63) }
func unzigzag(z uint64) uint64 { return z>>1 ^ -(z & 1) }
