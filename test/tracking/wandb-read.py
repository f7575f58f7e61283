"""Prints what W&B's own reader finds in a file of its offline mode, as JSON."""
import json
import sys

from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal import datastore

store = datastore.DataStore()
store.open_for_scan(sys.argv[1])
found = {"kinds": [], "numbers": [], "history": [], "config": {}, "summary": {}}
while True:
    data = store.scan_data()
    if data is None:
        break
    record = wandb_internal_pb2.Record()
    record.ParseFromString(data)
    kind = record.WhichOneof("record_type")
    found["kinds"].append(kind)
    found["numbers"].append(record.num)
    values = lambda items: {item.key: json.loads(item.value_json) for item in items}
    if kind == "run":
        run = record.run
        found["run"] = [run.run_id, run.project, run.run_group, run.job_type, run.display_name, run.start_time.seconds]
        found["config"] = values(run.config.update)
    if kind == "history":
        found["history"].append({**values(record.history.item), "step": record.history.step.num})
    if kind == "summary":
        found["summary"] = values(record.summary.update)
    if kind == "exit":
        found["exit"] = [record.exit.exit_code, record.exit.runtime]
print(json.dumps(found))
