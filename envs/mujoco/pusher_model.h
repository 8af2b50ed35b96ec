// The pusher as MuJoCo reads it (MJCF).
#pragma once

inline const char* const pusher_xml = R"(<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.01" gravity="0 0 0" iterations="20" integrator="Euler"/>
  <default>
    <joint armature="0.04" damping="1" limited="true"/>
    <geom friction="0.8 0.1 0.1" density="300" margin="0.002" condim="1" contype="0" conaffinity="0"/>
    <motor ctrllimited="true" ctrlrange="-2 2"/>
  </default>
  <worldbody>
    <geom type="plane" pos="0 0.5 -0.325" size="40 40 1" contype="1" conaffinity="1"/>
    <body name="r_shoulder_pan_link" pos="0 -0.6 0">
      <joint name="r_shoulder_pan_joint" axis="0 0 1" range="-2.2854 1.714602"/>
      <geom pos="-0.06 0.05 0.2" size="0.05"/>
      <geom pos="0.06 0.05 0.2" size="0.05"/>
      <geom pos="-0.06 0.09 0.2" size="0.03"/>
      <geom pos="0.06 0.09 0.2" size="0.03"/>
      <geom type="capsule" fromto="0 0 -0.4 0 0 0.2" size="0.1"/>
      <body name="r_shoulder_lift_link" pos="0.1 0 0">
        <joint name="r_shoulder_lift_joint" axis="0 1 0" range="-0.5236 1.3963"/>
        <geom type="capsule" fromto="0 -0.1 0 0 0.1 0" size="0.1"/>
        <body name="r_upper_arm_roll_link">
          <joint name="r_upper_arm_roll_joint" axis="1 0 0" range="-1.5 1.7" damping="0.1"/>
          <geom type="capsule" fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
          <body name="r_upper_arm_link">
            <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.06"/>
            <body name="r_elbow_flex_link" pos="0.4 0 0">
              <joint name="r_elbow_flex_joint" axis="0 1 0" range="-2.3213 0" damping="0.1"/>
              <geom type="capsule" fromto="0 -0.02 0 0 0.02 0" size="0.06"/>
              <body name="r_forearm_roll_link">
                <joint name="r_forearm_roll_joint" axis="1 0 0" range="-1.5 1.5" damping="0.1"/>
                <geom type="capsule" fromto="-0.1 0 0 0.1 0 0" size="0.02"/>
                <body name="r_forearm_link">
                  <geom type="capsule" fromto="0 0 0 0.291 0 0" size="0.05"/>
                  <body name="r_wrist_flex_link" pos="0.321 0 0">
                    <joint name="r_wrist_flex_joint" axis="0 1 0" range="-1.094 0" damping="0.1"/>
                    <geom type="capsule" fromto="0 -0.02 0 0 0.02 0" size="0.01"/>
                    <body name="r_wrist_roll_link">
                      <joint name="r_wrist_roll_joint" axis="1 0 0" range="-1.5 1.5" damping="0.1"/>
                      <geom type="capsule" fromto="0 -0.1 0 0 0.1 0" size="0.02" contype="1" conaffinity="1"/>
                      <geom type="capsule" fromto="0 -0.1 0 0.1 -0.1 0" size="0.02" contype="1" conaffinity="1"/>
                      <geom type="capsule" fromto="0 0.1 0 0.1 0.1 0" size="0.02" contype="1" conaffinity="1"/>
                      <body name="tips_arm">
                        <geom pos="0.1 -0.1 0" size="0.01"/>
                        <geom pos="0.1 0.1 0" size="0.01"/>
                      </body>
                    </body>
                  </body>
                </body>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
    <body name="object" pos="0.45 -0.05 -0.275">
      <joint name="obj_slidey" type="slide" axis="0 1 0" range="-10.3213 10.3" damping="0.5"/>
      <joint name="obj_slidex" type="slide" axis="1 0 0" range="-10.3213 10.3" damping="0.5"/>
      <geom size="0.05" density="1e-05"/>
      <geom type="cylinder" size="0.05 0.05" contype="1" density="1e-05"/>
    </body>
    <body name="goal" pos="0.45 -0.05 -0.323">
      <joint name="goal_slidey" type="slide" axis="0 1 0" range="-10.3213 10.3" damping="0.5"/>
      <joint name="goal_slidex" type="slide" axis="1 0 0" range="-10.3213 10.3" damping="0.5"/>
      <geom type="cylinder" size="0.08 0.001" density="1e-05"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="r_shoulder_pan_joint" gear="1"/>
    <motor joint="r_shoulder_lift_joint" gear="1"/>
    <motor joint="r_upper_arm_roll_joint" gear="1"/>
    <motor joint="r_elbow_flex_joint" gear="1"/>
    <motor joint="r_forearm_roll_joint" gear="1"/>
    <motor joint="r_wrist_flex_joint" gear="1"/>
    <motor joint="r_wrist_roll_joint" gear="1"/>
  </actuator>
</mujoco>)";
