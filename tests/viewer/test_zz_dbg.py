from fractions import Fraction
from vss_ray.media.write import write_video
from vss_ray.storage.location import Location
def test_dbg(browser, video_picture, make_run, serve, tmp_path):
    (tmp_path / "videos").mkdir()
    write_video(tmp_path/"videos"/"late.mp4", map(video_picture, range(50)), fps=Fraction("12.5"), gop=10, pts=[n+40 for n in range(50)])
    run = make_run(Location.open(tmp_path/"out"), str(tmp_path/"videos"))
    with serve(run) as server:
        for i in range(14):
            c=browser.new_context(); page=c.new_page()
            page.add_init_script("""window.log=[]; const R=HTMLVideoElement.prototype.requestVideoFrameCallback; HTMLVideoElement.prototype.requestVideoFrameCallback=function(f){return R.call(this,(n,m)=>{log.push(['rvfc',m.mediaTime,this.currentTime]);f(n,m)})};
              for (const e of ['loadeddata','seeking','seeked','canplay','stalled','waiting','error']) document.addEventListener(e,ev=>log.push([e,ev.target.currentTime]),true);""")
            page.goto(f"{server.url}/video/{run.manifest_rows()[0]['video_id']}#t=1.6"); page.wait_for_timeout(3000)
            print(i, page.evaluate("[document.getElementById('masks').dataset.frame, document.getElementById('video').readyState, document.getElementById('video').currentTime, JSON.stringify(log)]"))
            c.close()
