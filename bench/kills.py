"""Kill -9 at every durable boundary of the line, resume, and see that nothing is lost and nothing is done twice.

python bench/kills.py [--sample N] [--seed S] [--twice N] [--fine] [--lanes N] [--plant NAME|all]
"""
from __future__ import annotations
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent.parent))
import tempfile, time
from datetime import timedelta
from bench.kills_life import Zygote, warm
from bench.kills_outside import Outside, NOW
from bench.kills_check import check

def drive(life, scene):
    for number, one in enumerate(scene.deliveries):
        if number in scene.taken: continue
        said = life.ask("deliver", path=one.path, headers=one.headers, body=one.body)
        if said is None: return
        assert said == 202, said
        scene.taken.add(number)
    if life.ask("work") is None: return
    w = life.ask("waiting")
    if w is None: return
    print("waiting", w)
    for inc, h, _ in w:
        r = life.ask("approve", incident=inc, plan_hash=h)
        if r is None: return
        print("approve", repr(r))
    if life.ask("work") is None: return
    life.ask("end")

if __name__ == "__main__":
    t=time.perf_counter(); warm(); print("warm", time.perf_counter()-t)
    z = Zygote()
    with tempfile.TemporaryDirectory() as d, Outside(Path(d)) as o:
        print("outside", time.perf_counter()-t)
        for k in (0, 0, 100):
            t=time.perf_counter()
            s = o.fresh(); print("fresh", time.perf_counter()-t); t=time.perf_counter()
            life = z.life({"settings": str(s.settings), "now": NOW.isoformat(), "fatal": k, "fine": False, "plant": ""})
            drive(life, s); print("killed", life.ended(), life.dying, len(life.passed), time.perf_counter()-t); t=time.perf_counter()
            if k:
                life = z.life({"settings": str(s.settings), "now": (NOW+timedelta(minutes=5)).isoformat(), "fatal": 0, "fine": False, "plant": ""})
                drive(life, s); print("killed", life.ended(), life.dying, len(life.passed), time.perf_counter()-t); t=time.perf_counter()
            else:
                Path("/tmp/k/passed").write_text("\n".join(life.passed))
            f = check(o, None); print("check", time.perf_counter()-t)
            print(f.all); 
            for n,v in f.state.items(): print(n,v)
            print(s.effects)
    z.close()
