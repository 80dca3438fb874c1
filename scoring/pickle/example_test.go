package pickle_test

import (
	"fmt"
	"os"

	"fraudstream/scoring/pickle"
)

// A plain joblib.dump of make_pipeline(StandardScaler(), LogisticRegression()) is a Pipeline with a list of steps, each
// a pair of name and estimator.
func ExampleDecode() {
	data, err := os.ReadFile("testdata/models/seed.pkl")
	if err != nil {
		fmt.Println(err)
		return
	}
	root, err := pickle.Decode(data, pickle.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	pipeline := root.(*pickle.Object)
	fmt.Println(pipeline.Class)
	attribute, _ := pipeline.Attr("steps")
	for _, step := range attribute.(*pickle.List).Items {
		pair := step.(*pickle.Tuple).Items
		fmt.Println(pair[0], "is a", pair[1].(*pickle.Object).Class.Name)
	}
	// Output:
	// sklearn.pipeline.Pipeline
	// standardscaler is a StandardScaler
	// logisticregression is a LogisticRegression
}

// Loading a file runs nothing: a name that is not known to be harmless ends it.
func ExampleDecode_hostile() {
	_, err := pickle.Decode([]byte("cos\nsystem\n(S'rm -rf /'\ntR."), pickle.Limits{})
	fmt.Println(err)
	// Output:
	// pickle: forbidden-global at byte 0: os.system is not among the names that a fitted model is made of
}
