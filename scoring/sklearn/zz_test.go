package sklearn

import (
	"fmt"
	"fraudstream/scoring/pickle"
	"os"
	"testing"
)

func dump(v pickle.Value, d int) string {
	if d > 5 {
		return "…"
	}
	switch x := v.(type) {
	case *pickle.Object:
		s := "Obj " + className(x.Class) + "("
		for _, a := range x.Args {
			s += dump(a, d+1) + ","
		}
		s += ") state=" + dump(x.State, d+1)
		if x.Pairs != nil {
			s += " pairs=" + dump(x.Pairs, d+1)
		}
		for _, a := range x.Items {
			s += " item " + dump(a, d+1)
		}
		return s
	case *pickle.Tuple:
		s := "("
		for _, a := range x.Items {
			s += dump(a, d+1) + ","
		}
		return s + ")"
	case *pickle.List:
		s := "["
		for _, a := range x.Items {
			s += dump(a, d+1) + ","
		}
		return s + "]"
	case *pickle.Dict:
		s := "{"
		for i, a := range x.Keys {
			s += dump(a, d+1) + ":" + dump(x.Values[i], d+1) + ",\n"
		}
		return s + "}"
	case *pickle.Array:
		if x.Type.Kind == 'O' {
			s := "arrO["
			for _, a := range x.Objects {
				s += dump(a, d+1) + ","
			}
			return s + "]"
		}
		return describe(x)
	default:
		return fmt.Sprintf("%T(%v)", v, show(v))
	}
}
func TestDump(t *testing.T) {
	p := os.Getenv("DUMP")
	if p == "" {
		t.Skip()
	}
	data, _ := os.ReadFile(p)
	v, err := pickle.Decode(data, pickle.Limits{})
	fmt.Println(err)
	fmt.Println(dump(v, 0))
}
